"""Options of stochastic gradient descent."""

from dataclasses import dataclass

from framesweep.config.network import OptimConfig
from framesweep.config.registry import option


@option("optim", "sgd")
@dataclass(kw_only=True, slots=True)
class SgdConfig(OptimConfig):
    """Stochastic gradient descent."""

    momentum: float = 0.9
    """Share of the last update that is kept."""
    nesterov: bool = True
    """Look ahead by the momentum."""
