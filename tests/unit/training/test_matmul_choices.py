"""A run keeps the multiplications with which it began."""

import logging

import pytest
import torch
from torch import nn

from framesweep.kernels.backends import Backends, default_backends, get_backends
from framesweep.system import matmul_choice
from framesweep.system.hardware import Hardware
from framesweep.training import matmul_choices
from framesweep.training.matmul_choices import MatmulChoices

FP32, BF16 = torch.float32, torch.bfloat16


def build(precision="fp32", *, compile: bool = False) -> tuple[nn.Sequential, MatmulChoices]:
    network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    hardware = Hardware(torch.device("cpu"), precision, 1, compile=compile)
    return network, MatmulChoices(network, (8, 4), hardware)


def first_of(network: nn.Sequential) -> nn.Linear:
    layer = network[0]
    assert isinstance(layer, nn.Linear)
    return layer


@pytest.fixture(autouse=True)
def fixed(monkeypatch) -> None:
    monkeypatch.setenv(matmul_choice.VARIABLE, "torch")
    monkeypatch.setattr("framesweep.kernels.backends.matmul.available", lambda: True)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", FP32), ("bf16", BF16)])
def test_what_was_chosen_is_set_and_saved(precision, dtype) -> None:
    network, choices = build(precision)
    chosen = choices.choose()
    assert choices.state_dict()["layers"] == {}
    choices.load_state_dict(chosen)
    assert choices.state_dict() == chosen
    assert chosen["layers"] == {"0": ["torch"] * 3, "2": ["torch"] * 3}
    assert get_backends(first_of(network), dtype) == Backends("torch", "torch", "torch")


def test_a_resumed_run_has_the_choice_of_its_checkpoint_whatever_is_fastest_now() -> None:
    state = {"dtype": "torch.float32", "layers": {"0": ["onednn", "torch", "onednn"]}}
    network, choices = build()
    choices.load_state_dict(state)
    assert get_backends(first_of(network), FP32) == Backends("onednn", "torch", "onednn")
    assert choices.state_dict() == state


def test_what_another_machine_lacks_is_replaced_with_one_line(monkeypatch, caplog) -> None:
    monkeypatch.setattr("framesweep.kernels.backends.matmul.available", lambda: False)
    network, choices = build()
    names = ["onednn", "torch", "from the future"]
    with caplog.at_level(logging.WARNING):
        choices.load_state_dict({"dtype": "torch.float32", "layers": {"0": names, "2": names}})
    assert get_backends(first_of(network), FP32) == Backends("torch", "torch", "torch")
    (record,) = caplog.records
    assert "from the future, onednn" in record.getMessage()


def test_a_choice_for_another_precision_is_not_used() -> None:
    network, choices = build("bf16")
    choices.load_state_dict({"dtype": "torch.float32", "layers": {"0": ["torch"] * 3}})
    assert get_backends(first_of(network), BF16) == default_backends(BF16)


def test_nothing_is_chosen_where_torch_compiles(monkeypatch) -> None:
    monkeypatch.setattr(matmul_choices, "choose_backends", None)
    _, choices = build(compile=True)
    assert choices.choose()["layers"] == {}
