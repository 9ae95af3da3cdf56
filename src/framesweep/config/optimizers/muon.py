"""Options of Muon."""

from dataclasses import dataclass

from framesweep.config.network import OptimConfig
from framesweep.config.registry import option


@option("optim", "muon")
@dataclass(kw_only=True, slots=True)
class MuonConfig(OptimConfig):
    """Muon on hidden weight matrices, AdamW on all else (Jordan et al., 2024)."""

    momentum: float = 0.95
    """Share of the last update that is kept."""
    adam_lr: float = 1e-3
    """Peak learning rate of what AdamW updates."""
