"""A recorded step computes what a plain one does, and recording it leaves no trace."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from framesweep.config import AdamConfig, MuonConfig, OptimConfig, SgdConfig
from framesweep.distributed.collectives import ProcessGroup
from framesweep.errors import ConfigError
from framesweep.training import cuda_graph, step
from framesweep.training.cuda_graph import WARM_UP_STEPS, can_record, record_cuda_graph
from framesweep.training.optimizers.rates import state_tensors
from small_training import Training

OPTIMIZERS: dict[str, OptimConfig] = {
    "adam": AdamConfig(schedule="cosine", clip_norm=1.0),
    "sgd": SgdConfig(lr=0.1, schedule="onecycle"),
    "muon": MuonConfig(),
}


def record_by_calling(function: Callable[[], None]) -> Callable[[], None]:
    """Stand in for a CUDA graph on the CPU: warm up, record, and repeat by calling again."""
    for _ in range(WARM_UP_STEPS + 1):
        function()
    return function


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graph, "record_cuda_graph", record_by_calling)
    monkeypatch.setattr(step, "can_record", lambda *_, **__: True)


@pytest.mark.usefixtures("recording")
@pytest.mark.parametrize("average", ["none", "ema", "swa"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_recorded_step_computes_the_bits_of_a_plain_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, average: Any
) -> None:
    keys: dict[str, Any] = {"average": average, "augment": "masks", "optim": OPTIMIZERS[name]}
    recorded = Training(tmp_path, **keys)
    recorded.take_steps()
    monkeypatch.setattr(step, "can_record", lambda *_, **__: False)
    plain = Training(tmp_path, **keys)
    plain.take_steps()
    expected = plain.state()
    assert recorded.state().keys() == expected.keys()
    for key, found in recorded.state().items():
        assert torch.equal(found, expected[key]), key


@pytest.mark.usefixtures("recording")
def test_a_step_that_is_recorded_anew_after_a_resume_computes_the_same_bits(
    tmp_path: Path,
) -> None:
    keys: dict[str, Any] = {"average": "ema", "augment": "perturbations"}
    whole = Training(tmp_path, **keys)
    whole.take_steps()
    cut = Training(tmp_path, **keys)
    cut.take_steps(0, 4)
    saved, sums = cut.components.state_dict(), cut.state()["sums"]
    rest = Training(tmp_path, **keys)
    rest.components.load_state_dict(saved)
    for tensor, value in zip(
        (rest.sums.loss, rest.sums.correct, rest.sums.seen), sums, strict=True
    ):
        tensor.fill_(value)
    rest.take_steps(4)
    expected = whole.state()
    for key, found in rest.state().items():
        assert torch.equal(found, expected[key]), key


def test_recording_changes_nothing_but_creates_the_moments(tmp_path: Path) -> None:
    training = Training(tmp_path, average="ema", augment="perturbations", precision="fp16")
    before, scale = training.state(), training.components.hardware.scaler_state()
    recorded = cuda_graph.RecordedStep(
        lambda items: training.step.compute(training.step._plain, items),
        training.items(0),
        training.components,
        training.sums,
        record_by_calling,
    )
    for key, found in training.state().items():
        assert torch.equal(found, before[key]), key
    assert training.components.hardware.scaler_state() == scale
    moments = state_tensors(training.components.optimizer)
    assert moments
    assert not any(tensor.any() for tensor in moments)
    recorded(training.items(1))
    assert int(training.sums.seen) == 32
    assert any(tensor.any() for tensor in moments)  # those with which the step was recorded


def test_a_step_that_fails_to_record_is_taken_plainly_with_auto(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    def fail(function: Callable[[], None]) -> Callable[[], None]:
        calls.append(function)
        function()
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(step, "can_record", lambda *_, **__: True)
    plain = Training(tmp_path)
    monkeypatch.setattr(plain.step, "_records", False)
    plain.take_steps()
    monkeypatch.setattr(cuda_graph, "record_cuda_graph", fail)
    tried = Training(tmp_path, cuda_graph="auto")
    with caplog.at_level(logging.WARNING, "framesweep"):
        tried.take_steps()
    assert len(calls) == 1
    assert "operation not permitted when stream is capturing)" in caplog.text
    for key, found in tried.state().items():
        assert torch.equal(found, plain.state()[key]), key
    required = Training(tmp_path, cuda_graph=True)
    with pytest.raises(
        ConfigError, match=r"hardware.cuda_graph: .*can't be recorded \(operation"
    ):
        required.take_steps()


def test_what_rules_out_a_graph_is_named_where_one_is_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training(tmp_path)
    components, hardware = training.components, training.components.hardware
    hardware.cuda_graph = "auto"
    assert not can_record(components, constant_size=True)  # on a CPU
    hardware.device = torch.device("cuda")
    assert not can_record(components, constant_size=True)  # its rates are floats
    monkeypatch.setattr(cuda_graph, "has_device_rates", lambda _: True)
    assert can_record(components, constant_size=True)
    assert not can_record(components, constant_size=False)
    assert not can_record(components, constant_size=True, varies=True)
    hardware.cuda_graph = True
    with pytest.raises(ConfigError, match="growing batches"):
        can_record(components, constant_size=False)
    with pytest.raises(ConfigError, match="varying length"):
        can_record(components, constant_size=True, varies=True)
    components.process_group = ProcessGroup(rank=0, size=2)
    with pytest.raises(ConfigError, match="several processes"):
        can_record(components, constant_size=True)
    hardware.cuda_graph = False
    assert not can_record(components, constant_size=True)


def test_a_graph_is_recorded_after_a_warm_up_on_another_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[str] = []

    class Stream:
        def wait_stream(self, _: Any) -> None:
            events.append("wait")

    class Context:
        def __init__(self, name: str) -> None:
            self.name = name

        def __enter__(self) -> None:
            events.append(f"begin {self.name}")

        def __exit__(self, *_: Any) -> None:
            events.append(f"end {self.name}")

    class Graph:
        def replay(self) -> None:
            events.append("replay")

    def graph(_: Any, capture_error_mode: str) -> Context:
        return Context(f"recording {capture_error_mode}")

    fakes: dict[str, Any] = {"Stream": Stream, "current_stream": Stream, "CUDAGraph": Graph}
    fakes |= {"stream": lambda _: Context("warm-up"), "graph": graph}
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    replay = record_cuda_graph(lambda: events.append("step"))
    assert events == [
        "wait",
        "begin warm-up",
        *["step"] * WARM_UP_STEPS,
        "end warm-up",
        "wait",
        "begin recording thread_local",
        "step",
        "end recording thread_local",
    ]
    replay()
    assert events[-1] == "replay"
