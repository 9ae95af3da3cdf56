"""Schemas of what is trained: the network, its optimizer, and where they compute."""

import math
from dataclasses import dataclass
from typing import Literal

from framesweep.config.ranges import require_between, require_positive, require_share
from framesweep.config.registry import option
from framesweep.config.setting import setting
from framesweep.errors import ConfigError


@dataclass(kw_only=True, slots=True)
class ModelConfig:
    """What every network over context windows has in common."""

    dropout: float | int | list[float | int] = 0.2
    """Share of units dropped, below 1: one number, or a list with one a hidden layer."""
    activation: Literal["relu", "gelu", "silu", "leaky_relu"] = "relu"
    """Non-linearity after each hidden layer."""
    norm: Literal["batch", "layer", "none"] = "batch"
    """Normalisation between linear layer and activation."""
    init: Literal["default", "kaiming", "xavier", "orthogonal"] = "default"
    """Initial weights; default is torch's own."""


@dataclass(kw_only=True, slots=True)
class OptimConfig:
    """What every optimizer has in common, its schedule, and the loss's details."""

    lr: float = 1e-3
    """Learning rate; for onecycle and cosine, its peak."""
    weight_decay: float = 0.0
    """Weight decay of weight matrices, not of biases and norms; decoupled for adamw, muon."""
    schedule: Literal["constant", "onecycle", "cosine", "plateau", "step"] = "constant"
    """How the learning rate moves."""
    warmup: float = 0.1
    """Share of all steps in which onecycle and cosine rise to the peak."""
    final_lr: float = 0.01
    """Learning rate at the end of cosine, as a share of the peak."""
    step_epochs: int = 5
    """With schedule=step: epochs between two drops."""
    patience: int = 1
    """With schedule=plateau: epochs in a row without a better objective before a drop."""
    gamma: float = 0.5
    """With schedule=step or plateau: factor of a drop."""
    clip_norm: float | None = None
    """Largest 2-norm of the whole gradient; null for no clipping."""
    label_smoothing: float = 0.0
    """Share of the target spread evenly over all classes, 0 to 1."""
    class_weights: Literal["none", "sqrt", "inverse"] = "none"
    """Weigh a frame's loss by 1 over its phone's frames in train, or over their root."""

    def validate(self) -> None:
        """Check the rules of the `optim` group that its types cannot express.

        Raises:
            ConfigError: naming the key, its rule, the value found and the fix.
        """
        require_positive("optim.lr", self.lr)
        if not 0 <= self.weight_decay < math.inf:
            rule = "must be 0 or more"
            raise ConfigError("optim.weight_decay", rule, found=self.weight_decay)
        require_share("optim.warmup", self.warmup)
        require_share("optim.label_smoothing", self.label_smoothing)
        require_between("optim.final_lr", self.final_lr, 0, 1)
        if not 0 < self.gamma <= 1:
            raise ConfigError("optim.gamma", "must be above 0 and at most 1", found=self.gamma)
        for key in ("step_epochs", "patience"):
            if (epochs := getattr(self, key)) < 1:
                raise ConfigError(f"optim.{key}", "must be 1 epoch or more", found=epochs)
        if self.clip_norm is not None:
            fix = "Use null for no clipping."
            require_positive("optim.clip_norm", self.clip_norm, fix)
        self.validate_own_keys()

    def validate_own_keys(self) -> None:
        """Check the keys that only this optimizer has; an optimizer with rules overrides it."""


@option("augment", "augment")
@dataclass(kw_only=True, slots=True)
class AugmentConfig:
    """Masks on training windows; the centre frame is always kept."""

    time_masks: int = 0
    """Masks along time a window."""
    time_width: int = 5
    """Widest time mask, in frames; no wider than the window."""
    freq_masks: int = 0
    """Masks along frequency a window."""
    freq_width: int = 6
    """Widest frequency mask, in bins."""
    shift: int = 0
    """Most bins by which a window's spectrum is moved up or down, as by another vocal tract."""
    tempo: float = 0.0
    """Largest change, as a share, of a window's tempo about its centre, as by another rate of
    speech."""
    gain: float = 0.0
    """Standard deviation of an offset a bin, drawn once a window, as by another channel."""
    noise: float = 0.0
    """Standard deviation of noise on every value of a window, in units of the features."""


@option("hardware", "hardware")
@dataclass(kw_only=True, slots=True)
class HardwareConfig:
    """Where and in which precision to compute."""

    device: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", affects="rounding")
    """Device; auto takes cuda, then mps, then cpu."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = setting("auto", affects="rounding")
    """Precision of matrix products; auto takes bf16 where the processor is faster in it."""
    threads: int | None = setting(None, affects="rounding")
    """Threads on the processor; null for OMP_NUM_THREADS where set, else all usable cores, or
    with several processes each its share of them."""
    processes: int = setting(1, affects="rounding")
    """Processes on this machine that train together; the result is the same up to rounding.
    Under torchrun, which starts processes itself and on many machines, its number counts."""
    timeout_minutes: float = setting(10.0, affects="nothing")
    """How long processes that train together wait for one that does not answer."""
    compile: bool = setting(False, affects="rounding")
    """Compile the network with torch.compile; it takes a C++ compiler."""
