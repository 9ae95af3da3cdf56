"""A step computes the same plainly and compiled, in one graph."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from framesweep.distributed.collectives import ProcessGroup
from framesweep.training.step import TrainingStep, compile_measure, measure_batch
from small_training import AUGMENTATIONS, NETWORKS, Training

torch_compile = torch.compile


@pytest.fixture
def aot_eager(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Make torch trace forward and backward pass but compile nothing; list the requests."""
    requests: list[dict[str, Any]] = []

    def compile_by_tracing(function: Any, **keys: Any) -> Any:
        requests.append(keys)
        return torch_compile(function, backend="aot_eager", **keys)

    torch._dynamo.reset()
    monkeypatch.setattr(torch, "compile", compile_by_tracing)
    return requests


CASES = [(network, "none") for network in NETWORKS]
CASES += [(network, kind) for network in ("mlp", "tdnn") for kind in AUGMENTATIONS][1:]


@pytest.mark.parametrize(("network", "augment"), sorted({*CASES, ("conv", "masks")}))
def test_a_whole_step_is_one_graph_and_computes_what_a_plain_step_does(
    tmp_path: Path, aot_eager: list[dict[str, Any]], network: str, augment: str
) -> None:
    plain = Training(tmp_path, network=network, augment=augment)
    compiled = Training(tmp_path, network=network, augment=augment, compile=True)
    for training in (plain, compiled):
        torch.manual_seed(5)
        training.take_steps(0, 3)
    assert aot_eager == [{"fullgraph": True, "dynamic": False}]
    expected = plain.state()
    for name, found in compiled.state().items():
        if name != "rng":
            torch.testing.assert_close(found, expected[name], rtol=2e-4, atol=2e-5, msg=name)
    assert torch.equal(compiled.state()["rng"], expected["rng"])


def test_a_batch_of_another_size_is_not_compiled(tmp_path: Path) -> None:
    training = Training(tmp_path)
    full: list[int] = []
    training.step._full = lambda items: (
        full.append(len(items)),
        measure_batch(training.components, training.train, items),
    )[1]
    training.step(training.items(0), is_full=True)
    training.step(training.items(1)[:7], is_full=False)
    assert full == [32]
    assert int(training.sums.seen) == 39


def test_growing_batches_are_compiled_for_all_sizes(
    tmp_path: Path, aot_eager: list[dict[str, Any]]
) -> None:
    training = Training(tmp_path, compile=True)
    TrainingStep(training.components, training.train, training.sums, constant_size=False)
    assert aot_eager[-1] == {"fullgraph": True, "dynamic": True}


def test_several_processes_compile_the_network_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training(tmp_path)
    training.components.hardware.compile = True
    training.components.process_group = ProcessGroup(rank=0, size=2)
    compiled: list[str] = []
    monkeypatch.setattr(
        training.components.model, "compile", lambda: compiled.append("network")
    )
    measure = partial(measure_batch, training.components, training.train)
    assert compile_measure(measure, training.components, constant_size=True) is measure
    assert compiled == ["network"]


@pytest.mark.heavy
def test_torch_compiles_a_step_on_this_machine(tmp_path: Path) -> None:
    torch._dynamo.reset()
    plain, compiled = (Training(tmp_path, compile=kind) for kind in (False, True))
    for training in (plain, compiled):
        training.take_steps(0, 2)
    expected = plain.state()["model.output.weight"]
    found = compiled.state()["model.output.weight"]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)
