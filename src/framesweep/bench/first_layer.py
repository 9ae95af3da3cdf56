"""Compares two ways to compute the first layer: gathered windows and a convolution."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from framesweep import kernels
from framesweep.bench.baselines import synchronize
from framesweep.bench.case import Case
from framesweep.bench.timing import Contender, Speeds
from framesweep.data.windows import Windows
from framesweep.system.hardware import Hardware


def measure_first_layer(case: Case, rounds: int) -> dict[str, Any]:
    """Return the frames/s of the first layer's forward pass and weight gradient, both ways.

    Gathering copies each frame into every window that contains it, but serves shuffled frames,
    which training needs. A convolution computes what windows share only once, but serves only
    neighboring frames of complete utterances.
    """
    experiment = case.build_experiment()
    hardware, train = experiment.components.hardware, experiment.train
    assert isinstance(train, Windows)
    batch_size, width = experiment.plan.batch_size, experiment.widths[0]
    rows = torch.from_numpy(experiment.store.splits["train"].rows).to(hardware.device)
    contenders = {
        "gather": build_gathered_layer(train, width, batch_size, hardware),
        "convolution": build_convolution(rows, case.context, width, batch_size, hardware),
    }
    Speeds().run_round(contenders)  # a warm-up, which is not recorded
    speeds = Speeds(case.clock)
    for _ in range(rounds):
        speeds.run_round(contenders)
    return {
        "what": "first layer",
        **case.to_labels(),
        "frames_per_second": speeds.to_dict(),
        "ratio": {"convolution": speeds.ratio("gather", "convolution")},
    }


def build_gathered_layer(
    windows: Windows, width: int, batch_size: int, hardware: Hardware
) -> Contender:
    """Return the layer on batches of shuffled frames, whose windows are gathered."""
    layer = nn.Linear(windows.window_dim, width, bias=False).to(hardware.device)

    def run() -> int:
        frames = torch.randint(windows.num_frames, (batch_size,), device=hardware.device)
        with hardware.autocast():
            y = kernels.linear(windows.gather(frames), layer)
        torch.autograd.grad(y, layer.weight, torch.ones_like(y))
        synchronize(hardware.device)
        return batch_size

    return run


def build_convolution(
    rows: Tensor, context: int, width: int, batch_size: int, hardware: Hardware
) -> Contender:
    """Return the layer on neighboring frames of rows (R, D), as a convolution over time.

    Its kernel spans a window of 2 * context + 1 frames; with stride 1, its outputs are those of
    the linear layer on the windows of `batch_size` neighboring frames.
    """
    size = 2 * context + 1
    weight = torch.randn(width, rows.shape[1], size, device=hardware.device)
    weight.requires_grad_()

    def run() -> int:
        first = int(torch.randint(len(rows) - batch_size - size, ()))
        x = rows[first : first + batch_size + size - 1].t().unsqueeze(0).float()
        with hardware.autocast():
            y = F.conv1d(x, weight)
        torch.autograd.grad(y, weight, torch.ones_like(y))
        synchronize(hardware.device)
        return batch_size

    return run
