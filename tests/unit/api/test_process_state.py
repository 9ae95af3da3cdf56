"""What a call changes in its process, and restores."""

import random
from typing import Any

import pytest
import torch

from framesweep.api.process_state import isolated_torch, restored_process


def read_state():
    return (
        torch.initial_seed(),
        torch.rand(3, generator=None, dtype=torch.float32, device="cpu").tolist(),
        random.getstate(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )


backends: Any = torch.backends


def read_products():
    try:
        older = torch.get_float32_matmul_precision()
    except RuntimeError:
        older = "contradictory"
    parts = [backends, backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.conv]
    return [older, *(part.fp32_precision for part in parts)]


@pytest.fixture
def default_products():
    before = read_products()
    yield
    backends.fp32_precision = backends.mkldnn.conv.fp32_precision = "none"
    backends.cuda.matmul.fp32_precision = backends.mkldnn.matmul.fp32_precision = "none"
    torch.set_float32_matmul_precision("highest")
    backends.cuda.matmul.fp32_precision = backends.mkldnn.matmul.fp32_precision = "none"
    assert read_products() == before


def set_older():
    torch.set_float32_matmul_precision("medium")


def set_newer():
    backends.fp32_precision = "tf32"


@pytest.mark.parametrize("choose", [lambda: None, set_older, set_newer])
@pytest.mark.usefixtures("default_products")
def test_a_run_rounds_no_products_because_its_caller_does(choose):
    choose()
    before = read_products()
    with isolated_torch():
        assert read_products()[1:] == ["none"] * 4
        assert backends.mkldnn.matmul.fp32_precision == "none"
        torch.set_float32_matmul_precision("high")  # as a run in TF32 does
        backends.cudnn.allow_tf32 = True
    assert read_products()[1:] == before[1:]
    if before[0] != "contradictory":
        assert read_products()[0] == before[0]


@pytest.mark.parametrize("context", [isolated_torch, restored_process])
def test_what_a_run_does_to_torch_is_undone(context):
    torch.manual_seed(5)
    before = read_state()
    torch.manual_seed(5)
    with context():
        torch.manual_seed(6)
        random.seed(7)
        torch.set_num_threads(before[3] + 1)
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
    assert read_state() == before


def test_what_the_caller_has_set_changes_no_run():
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        with torch.inference_mode():
            before = read_state()[4:]
            with isolated_torch():
                made = torch.zeros(1, requires_grad=True) * 2
            assert read_state()[4:] == before
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert (made.dtype, made.device.type) == (torch.float32, "cpu")
    assert made.requires_grad
    assert not made.is_inference()
