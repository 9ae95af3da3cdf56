"""The first layer two ways: a product of gathered windows, a convolution over utterances."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from framesweep import kernels
from framesweep.bench.baselines import wait_for
from framesweep.bench.throughput import Case
from framesweep.bench.timing import Contender, Speeds
from framesweep.data.windows import Windows
from framesweep.system.hardware import Hardware


def measure_first_layer(case: Case, rounds: int) -> dict[str, Any]:
    """Frames/s of the first layer's forward pass and its weights' gradient, both ways.

    The gather serves shuffled frames, as training needs them. A convolution shares what
    windows have in common, but can only serve neighbouring frames of whole utterances.
    """
    experiment = case.experiment()
    hardware, train = experiment.components.hardware, experiment.train
    assert isinstance(train, Windows)
    batch_size, width = experiment.plan.batch_size, experiment.widths[0]
    rows = torch.from_numpy(experiment.store.splits["train"].rows).to(hardware.device)
    contenders = {
        "gather": gathered(train, width, batch_size, hardware),
        "convolution": convolved(rows, case.context, width, batch_size, hardware),
    }
    Speeds().take_turns(contenders)
    speeds = Speeds(case.clock)
    for _ in range(rounds):
        speeds.take_turns(contenders)
    return {
        "what": "first layer",
        **case.labels(),
        "frames_per_second": speeds.to_dict(),
        "ratio": {"convolution": speeds.ratio("gather", "convolution")},
    }


def gathered(windows: Windows, width: int, batch_size: int, hardware: Hardware) -> Contender:
    """The layer on batches of shuffled frames."""
    layer = nn.Linear(windows.window_dim, width, bias=False).to(hardware.device)

    def run() -> int:
        frames = torch.randint(windows.num_frames, (batch_size,), device=hardware.device)
        with hardware.autocast():
            y = kernels.linear(windows.gather(frames), layer)
        torch.autograd.grad(y, layer.weight, torch.ones_like(y))
        wait_for(hardware.device)
        return batch_size

    return run


def convolved(
    rows: Tensor, context: int, width: int, batch_size: int, hardware: Hardware
) -> Contender:
    """The layer on as many neighbouring frames of rows (R, D), as a convolution over time."""
    size = 2 * context + 1
    weight = torch.randn(width, rows.shape[1], size, device=hardware.device)
    weight.requires_grad_()

    def run() -> int:
        first = int(torch.randint(len(rows) - batch_size - size, ()))
        x = rows[first : first + batch_size + size - 1].t().unsqueeze(0).float()
        with hardware.autocast():
            y = F.conv1d(x, weight)
        torch.autograd.grad(y, weight, torch.ones_like(y))
        wait_for(hardware.device)
        return batch_size

    return run
