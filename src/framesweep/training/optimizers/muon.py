"""Muon for hidden weight matrices, together with AdamW for all other parameters."""

from typing import Any

from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from framesweep.config.optimizers.muon import MuonConfig
from framesweep.errors import ConfigError
from framesweep.training.optimizers.parameter_groups import split_by_decay


class MuonWithAdamW(Optimizer):
    """Two optimizers that are stepped, saved and scheduled as one."""

    def __init__(self, muon: Muon, adamw: AdamW) -> None:
        super().__init__([*muon.param_groups, *adamw.param_groups], {})
        self.parts = {"muon": muon, "adamw": adamw}
        self._share_groups()

    def _share_groups(self) -> None:
        """Make a learning rate that is set here the one that the parts read."""
        self.param_groups = [g for part in self.parts.values() for g in part.param_groups]

    def step(self) -> None:  # type: ignore[override]  # a closure would run twice
        for part in self.parts.values():
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
    return MuonWithAdamW(
        Muon(hidden, lr=config.lr, weight_decay=config.weight_decay, momentum=config.momentum),
        AdamW(split_by_decay(config.weight_decay, rest), lr=config.adam_lr, fused=True),
    )
