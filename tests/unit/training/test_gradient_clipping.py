"""The gradient is scaled down to its largest norm, and never up."""

import torch
from torch import Tensor, nn

from framesweep.config import OptimConfig
from framesweep.training.gradient_clipping import clip_gradients


def test_only_a_gradient_above_the_limit_is_scaled() -> None:
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))]

    def gradient() -> Tensor:
        return torch.cat([p.grad for p in parameters if p.grad is not None])

    def reset() -> None:
        parameters[0].grad, parameters[1].grad = torch.tensor([3.0, 0.0]), torch.tensor([4.0])

    reset()
    assert clip_gradients(OptimConfig(), parameters) is None
    assert clip_gradients(OptimConfig(clip_norm=6.0), parameters) == 5.0
    assert gradient().tolist() == [3.0, 0.0, 4.0]
    assert clip_gradients(OptimConfig(clip_norm=0.5), parameters) == 5.0
    torch.testing.assert_close(gradient(), torch.tensor([0.3, 0.0, 0.4]))
