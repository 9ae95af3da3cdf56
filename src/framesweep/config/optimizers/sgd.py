"""Options of stochastic gradient descent."""

from dataclasses import dataclass

from framesweep.config.network import OptimConfig
from framesweep.config.registry import option
from framesweep.errors import ConfigError


@option("optim", "sgd", built_by="framesweep.training.optimizers.sgd:build_sgd")
@dataclass(kw_only=True, slots=True)
class SgdConfig(OptimConfig):
    """Stochastic gradient descent with momentum."""

    momentum: float = 0.9
    """Factor by which the previous update is carried over to the next, at least 0 and below
    1."""
    nesterov: bool = True
    """Use Nesterov momentum, which evaluates the gradient ahead of the weights."""

    def validate_own_keys(self) -> None:
        if self.nesterov and self.momentum == 0:
            raise ConfigError(
                "optim.momentum",
                "must be above 0 with optim.nesterov=true",
                found=self.momentum,
                fix="Add optim.nesterov=false for no momentum.",
            )
