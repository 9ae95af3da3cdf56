"""Options of Muon."""

from dataclasses import dataclass

from framesweep.config.network import OptimConfig
from framesweep.config.registry import option


@option("optim", "muon", built_by="framesweep.training.optimizers.muon:build_muon")
@dataclass(kw_only=True, slots=True)
class MuonConfig(OptimConfig):
    """Muon for hidden weight matrices, AdamW for all other parameters (Jordan et al., 2024)."""

    momentum: float = 0.95
    """Factor by which the previous update is carried over to the next, at least 0 and below
    1."""
    adam_lr: float = 1e-3
    """Learning rate of the parameters that AdamW updates; its peak, as for lr."""
