"""A choice is measured once per machine, kept, and the same for all who ask."""

import logging

import pytest
import torch

from framesweep.errors import ConfigError
from framesweep.kernels.backends import Backends, LinearCall
from framesweep.system import matmul_choice
from framesweep.system.matmul_choice import CACHE_FILE, VARIABLE, choose_backends

FP32, BF16 = torch.float32, torch.bfloat16
FIRST = LinearCall("first", 2048, 440, 512, needs_input_gradient=False)
OUTPUT = LinearCall("output", 2048, 512, 71, needs_input_gradient=True)
TINY = LinearCall("tiny", 16, 8, 4, needs_input_gradient=True)


@pytest.fixture
def measured(monkeypatch) -> list[tuple[str, LinearCall]]:
    """Replaces measurements, which find torch to be the fastest, and lists them."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("framesweep.kernels.backends.matmul.available", lambda: True)
    calls: list[tuple[str, LinearCall]] = []

    def find_fastest(operation: str, call: LinearCall, dtype: torch.dtype) -> str:
        calls.append((operation, call))
        return "torch"

    monkeypatch.setattr(matmul_choice, "find_fastest", find_fastest)
    return calls


def test_each_operation_that_a_layer_needs_is_measured(measured, tmp_path) -> None:
    chosen = choose_backends([FIRST, OUTPUT], FP32, tmp_path)
    assert chosen == {
        # Nobody needs the gradient of the features, so the default remains.
        "first": Backends("torch", "onednn", "torch"),
        "output": Backends("torch", "torch", "torch"),
    }
    assert sorted(operation for operation, _ in measured) == [
        "forward",
        "forward",
        "input_gradient",
        "weight_gradient",
        "weight_gradient",
    ]


def test_a_measurement_is_short(measured, tmp_path) -> None:
    wide = LinearCall("wide", 65_536, 4040, 8192, needs_input_gradient=True)
    choose_backends([wide], FP32, tmp_path)
    assert {(c.rows, c.fan_in, c.fan_out) for _, c in measured} == {(256, 1032, 1024)}


def test_what_takes_microseconds_keeps_the_default(measured, tmp_path) -> None:
    chosen = choose_backends([TINY], FP32, tmp_path)
    assert chosen == {"tiny": Backends("onednn", "onednn", "onednn")}
    assert measured == []


def test_what_was_measured_before_is_read_from_the_cache(measured, tmp_path) -> None:
    first = choose_backends([FIRST, OUTPUT], FP32, tmp_path)
    measured.clear()
    assert choose_backends([FIRST, OUTPUT], FP32, tmp_path) == first
    assert measured == []
    choose_backends([FIRST._replace(rows=4096)], FP32, tmp_path)
    assert measured == []  # as many rows are measured in any large batch
    choose_backends([FIRST], BF16, tmp_path)
    assert len(measured) == 2


def test_another_machine_does_not_share_the_cache(measured, tmp_path, monkeypatch) -> None:
    choose_backends([OUTPUT], FP32, tmp_path)
    measured.clear()
    monkeypatch.setattr(matmul_choice, "name_processor", lambda: "another")
    choose_backends([OUTPUT], FP32, tmp_path)
    assert len(measured) == 3
    measured.clear()
    monkeypatch.undo()
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(matmul_choice, "find_fastest", None)
    choose_backends([OUTPUT], FP32, tmp_path)  # the first machine's choice is still there


def test_a_damaged_cache_is_named_and_measured_again(measured, tmp_path, caplog) -> None:
    choose_backends([OUTPUT], FP32, tmp_path)
    path = tmp_path / CACHE_FILE
    path.write_text(path.read_text().replace("torch", "onednn", 1))
    measured.clear()
    with caplog.at_level(logging.WARNING):
        choose_backends([OUTPUT], FP32, tmp_path)
    assert str(path) in caplog.text
    assert len(measured) == 3
    measured.clear()
    choose_backends([OUTPUT], FP32, tmp_path)
    assert measured == []


def test_a_cache_that_cannot_be_written_does_not_stop_a_run(measured, tmp_path) -> None:
    (tmp_path / "file").touch()
    chosen = choose_backends([OUTPUT], FP32, tmp_path / "file")
    assert chosen == {"output": Backends("torch", "torch", "torch")}


def test_the_environment_can_fix_the_choice(measured, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, "onednn")
    chosen = choose_backends([OUTPUT], FP32, tmp_path)
    assert chosen == {"output": Backends("onednn", "onednn", "onednn")}
    monkeypatch.setenv(VARIABLE, "default")
    assert choose_backends([OUTPUT], BF16, tmp_path) == {
        "output": Backends("torch", "torch", "torch")
    }
    assert measured == []
    monkeypatch.setenv(VARIABLE, "blas")
    with pytest.raises(ConfigError, match="must be one of auto default torch onednn"):
        choose_backends([OUTPUT], FP32, tmp_path)


def test_a_real_measurement_yields_an_implementation_of_this_machine(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    (chosen,) = choose_backends([OUTPUT], FP32, tmp_path).values()
    assert set(chosen) <= {"torch", "onednn"}
    assert choose_backends([OUTPUT], FP32, tmp_path) == {"output": chosen}
