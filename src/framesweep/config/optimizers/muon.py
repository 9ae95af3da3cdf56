"""Options of Muon."""

from dataclasses import dataclass

from framesweep.config.network import OptimConfig
from framesweep.config.ranges import require_positive, require_share
from framesweep.config.registry import option


@option("optim", "muon", built_by="framesweep.training.optimizers.muon:build_muon")
@dataclass(kw_only=True, slots=True)
class MuonConfig(OptimConfig):
    """Muon on hidden weight matrices, AdamW on all else (Jordan et al., 2024)."""

    momentum: float = 0.95
    """Share of the last update that is kept."""
    adam_lr: float = 1e-3
    """Peak learning rate of what AdamW updates."""

    def validate_own_keys(self) -> None:
        require_share("optim.momentum", self.momentum)
        require_positive("optim.adam_lr", self.adam_lr)
