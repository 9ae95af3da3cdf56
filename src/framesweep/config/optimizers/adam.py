"""Options of Adam and AdamW."""

from dataclasses import dataclass

from framesweep.config.network import OptimConfig
from framesweep.config.registry import option


@option("optim", "adam", built_by="framesweep.training.optimizers.adam:build_adam")
@dataclass(kw_only=True, slots=True)
class AdamConfig(OptimConfig):
    """Adam (Kingma and Ba, 2015)."""

    beta1: float = 0.9
    """Decay of the running mean of the gradients."""
    beta2: float = 0.999
    """Decay of the running mean of the squared gradients."""
    eps: float = 1e-8
    """Number added to the denominator for numerical stability."""


@option("optim", "adamw", built_by="framesweep.training.optimizers.adam:build_adamw")
@dataclass(kw_only=True, slots=True)
class AdamWConfig(AdamConfig):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""
