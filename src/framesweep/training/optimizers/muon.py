"""Muon for hidden weight matrices, together with AdamW for all other parameters."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon

from framesweep.config.optimizers.muon import MuonConfig
from framesweep.errors import ConfigError
from framesweep.training.optimizers.eager import EagerAdamW, EagerMuon, EagerOptimizer
from framesweep.training.optimizers.parameter_groups import split_by_decay

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the Newton-Schulz iteration, as in torch's Muon (Jordan et al., 2024)."""
ITERATIONS = 5


class DeviceMuon(EagerMuon):
    """Torch's Muon, in which the host reads no number from the device.

    Torch's own reads the learning rate if it is a tensor. In fp16 it also lets the gradient
    scaler read whether a gradient has overflowed; here the kernels read it and change nothing
    then, as torch's fused optimizers do.

    Attributes:
        grad_scale: What the gradients have to be divided by; None if they are not scaled.
        found_inf: 1 if a gradient has overflowed, else 0; None if nobody has looked.
    """

    grad_scale: Tensor | None = None
    found_inf: Tensor | None = None

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # without a closure
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update(weight, weight.grad, group)

    def _update(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        momentum, old = group["momentum"], state["momentum_buffer"]
        if self.grad_scale is not None:
            gradient = gradient / self.grad_scale
        buffer = old.lerp(gradient, 1 - momentum)
        mixed = gradient.lerp(buffer, momentum) if group["nesterov"] else buffer
        # A matrix with more rows than columns has a larger update, as in torch's Muon.
        rate = group["lr"] * math.sqrt(max(1, weight.shape[0] / weight.shape[1]))
        update = orthogonalize(mixed).to(weight.dtype) * rate
        self._write(weight, weight * (1 - group["lr"] * group["weight_decay"]) - update)
        self._write(old, buffer)

    def _write(self, tensor: Tensor, new: Tensor) -> None:
        """Give a tensor its new values, unless a gradient has overflowed."""
        kept = new if self.found_inf is None else torch.where(self.found_inf > 0, tensor, new)
        tensor.copy_(kept)


def orthogonalize(matrix: Tensor) -> Tensor:
    """Return the nearest semi-orthogonal (M, N) bfloat16 matrix, by Newton-Schulz iterations.

    The same as in torch's Muon, after Jordan et al., "Muon: An optimizer for hidden layers in
    neural networks", 2024.
    """
    x = matrix.bfloat16()
    if matrix.shape[0] > matrix.shape[1]:
        x = x.T
    x = x / x.norm().clamp(min=1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if matrix.shape[0] > matrix.shape[1] else x


class MuonWithAdamW(EagerOptimizer):
    """Two optimizers that are stepped, saved and scheduled as one."""

    def __init__(self, muon: Muon, adamw: AdamW) -> None:
        super().__init__([*muon.param_groups, *adamw.param_groups], {})
        self.parts = {"muon": muon, "adamw": adamw}
        self.reads_tensor_rates = isinstance(muon, DeviceMuon)
        # Tells torch's gradient scaler that `step` heeds an overflow, so that it reads none.
        self._step_supports_amp_scaling = isinstance(muon, DeviceMuon)
        self._share_groups()

    def _share_groups(self) -> None:
        """Make a learning rate that is set here the one that the parts read."""
        self.param_groups = [g for part in self.parts.values() for g in part.param_groups]

    def step(self) -> None:  # type: ignore[override]  # a closure would run twice
        for part in self.parts.values():
            # Torch's gradient scaler sets these during a step.
            part.grad_scale = getattr(self, "grad_scale", None)  # type: ignore[attr-defined]
            part.found_inf = getattr(self, "found_inf", None)  # type: ignore[attr-defined]
            part.step()

    def state_dict(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, part in self.parts.items():
            part.load_state_dict(state_dict[name])
        self._share_groups()  # loading replaces the parts' groups


def build_muon(config: MuonConfig, model: nn.Module) -> MuonWithAdamW:
    """Return Muon over every weight matrix but the first and the last, AdamW over the rest.

    The first and the last matrix map from features and to phones: their rows or columns have
    a meaning of their own, for which an orthogonal update is not made (Jordan et al., 2024).

    Raises:
        ConfigError: if the network has no hidden matrix.
    """
    matrices = [p for p in model.parameters() if p.ndim == 2]
    hidden = matrices[1:-1]
    if not hidden:
        raise ConfigError(
            "optim",
            "muon must have a hidden weight matrix, which takes two hidden layers",
            fix="Use a deeper model, or optim=adamw.",
        )
    chosen = {id(p) for p in hidden}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    kind = DeviceMuon if hidden[0].device.type == "cuda" else EagerMuon
    return MuonWithAdamW(
        kind(hidden, lr=config.lr, weight_decay=config.weight_decay, momentum=config.momentum),
        EagerAdamW(split_by_decay(config.weight_decay, rest), lr=config.adam_lr, fused=True),
    )
