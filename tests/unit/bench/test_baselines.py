"""Each baseline does exactly the work that it stands for."""

import multiprocessing
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from framesweep.bench import baselines
from framesweep.bench.plain_networks import build_plain_network
from framesweep.kernels.backends import MATMULS, Backends, LinearCall
from framesweep.system.hardware import Hardware

SIZES = (12, 8, 6, 5)
BATCH = 16
CPU = torch.device("cpu")


def hardware() -> Hardware:
    return Hardware(CPU, "fp32", torch.get_num_threads(), compile=False)


@pytest.mark.parametrize("train", [True, False])
def test_the_upper_bound_multiplies_exactly_what_a_pass_does(train: bool) -> None:
    operations = []

    def matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        operations.append(2 * a.shape[0] * a.shape[1] * b.shape[0])
        return a @ b.t()

    calls = [
        LinearCall(str(number), BATCH, fan_in, fan_out, needs_input_gradient=number > 0)
        for number, (fan_in, fan_out) in enumerate(pairwise(SIZES))
    ]
    run = baselines.build_matmul_bound(
        calls, BATCH, hardware(), lambda call: (matmul,) * 3, train=train
    )
    assert run() == BATCH
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(SIZES))
    expected = 2 * BATCH * weights
    if train:
        expected = 3 * expected - 2 * BATCH * SIZES[0] * SIZES[1]
    assert sum(operations) == expected


def test_the_bound_is_each_implementation_alone_and_the_choice_of_the_run() -> None:
    chosen = {"output": Backends("torch", "onednn", "copied")}
    call = LinearCall("output", 7, 5, 3, needs_input_gradient=True)
    ways = baselines.list_matmuls(CPU, chosen)
    assert {"torch.mm", "chosen"} <= ways.keys() <= {"torch.mm", "oneDNN", "chosen"}
    assert ways["chosen"](call) == (MATMULS["torch"], MATMULS["onednn"], MATMULS["copied"])
    assert ways["torch.mm"](call) == (MATMULS["torch"],) * 3
    assert "chosen" not in baselines.list_matmuls(CPU, {})


def test_a_plain_step_reduces_the_loss() -> None:
    torch.manual_seed(0)
    network = build_plain_network(SIZES, dropout=0.0)
    step = baselines.build_plain_step(network, hardware())
    inputs, labels = torch.randn(64, SIZES[0]), torch.randint(SIZES[-1], (64,))
    first = torch.nn.functional.cross_entropy(step(inputs, labels), labels)
    for _ in range(300):
        logits = step(inputs, labels)
    assert torch.nn.functional.cross_entropy(logits, labels) < 0.8 * first


def test_the_python_loop_counts_its_frames() -> None:
    dataset = baselines.FrameDataset(context=1, feature_dim=4, num_classes=5)
    window, label = dataset[10]
    assert torch.equal(window, dataset.rows[10:13].flatten())
    assert label == dataset.labels[11]
    loop = baselines.build_python_loop(SIZES, dataset, hardware(), batch_size=8, num_batches=3)
    assert loop() == 24


def test_the_worker_loop_counts_its_frames_and_ends_its_workers() -> None:
    dataset = baselines.FrameDataset(context=1, feature_dim=4, num_classes=5)
    run, close = baselines.build_worker_loop(SIZES, dataset, hardware(), batch_size=8)
    assert run() == 8
    close()
    assert multiprocessing.active_children() == []


def test_batches_are_repeated_without_end() -> None:
    dataset: Any = TensorDataset(torch.arange(4), torch.arange(4))
    batches = baselines._RepeatedBatches(DataLoader(dataset, 2))
    firsts = [int(next(batches)[0][0]) for _ in range(5)]
    assert firsts == [0, 2, 0, 2, 0]
