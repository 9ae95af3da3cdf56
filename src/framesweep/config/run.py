"""The schema of a complete run, and those of training, tracking and sweeps."""

from dataclasses import dataclass, field
from typing import Any, Literal

from framesweep.config.data import DataConfig
from framesweep.config.key_ranges import require_group_in_ranges
from framesweep.config.network import AugmentConfig, HardwareConfig, ModelConfig, OptimConfig
from framesweep.config.registry import option
from framesweep.config.rules import require_model_name
from framesweep.config.setting import setting
from framesweep.errors import ConfigError

MISSING: Any = "???"
"""Marks a key without a default. It is `omegaconf.MISSING`, not imported because schemas are
also read where Hydra is not installed."""
MIRROR_NAMES = ("wandb", "tensorboard")
"""Trackers that `tracking.also` may name."""


@option("tracking", "tracking")
@dataclass(kw_only=True, slots=True)
class TrackingConfig:
    """The tracking server, and what is logged there."""

    backend: Literal["mlflow", "none"] = setting("mlflow", affects="nothing")
    """Log runs to MLflow, or not at all."""
    uri: str | None = setting(None, affects="nothing")
    """Tracking URI. null takes FRAMESWEEP_TRACKING_URI if it is set, otherwise
    outputs/mlflow.db."""
    experiment: str = setting("framesweep", affects="nothing")
    """Name of the MLflow experiment."""
    run_name: str | None = setting(None, affects="nothing")
    """Name of the run. null names it by what was typed, as `model=wide data.context=15`, or
    `defaults`."""
    log_model: bool | None = setting(None, affects="nothing")
    """Log the network of the best epoch as an MLflow model. null logs it unless the run is part
    of a sweep, whose winner's network becomes the model of the sweep instead."""
    register: str | None = setting(None, affects="nothing")
    """Register the model under this name in MLflow's model registry; in a sweep, that of the
    winner. null does not register it."""
    tags: dict[str, str] = setting({}, affects="nothing")
    """Additional tags of the run."""
    also: list[str] = setting([], affects="nothing")
    """Further trackers that receive params, tags and metrics: wandb, tensorboard or both, as
    [wandb,tensorboard]. Each requires the extra of its name."""
    system_metrics: bool = setting(False, affects="nothing")
    """Log the load of CPU, memory, disk, network and GPU every 10 seconds. Requires the extra
    system-metrics."""

    def __post_init__(self) -> None:
        """Check the rules of the `tracking` group.

        Raises:
            ConfigError: naming the key, its rule and the value found.
        """
        for name in self.also:
            if name not in MIRROR_NAMES:
                raise ConfigError(
                    "tracking.also", f"must be some of {' '.join(MIRROR_NAMES)}", found=name
                )
        if self.register is None:
            return
        require_model_name("tracking.register", self.register)
        for unsuitable, override in (
            (self.backend == "none", "tracking=none"),
            (self.log_model is False, "tracking.log_model=false"),
        ):
            if unsuitable:
                rule = "needs a logged model"
                fix = f"Remove {override}."
                raise ConfigError("tracking.register", rule, found=self.register, fix=fix)


@dataclass(kw_only=True, slots=True)
class TrainConfig:
    """The training loop: its length, its batches and its checkpoints."""

    epochs: int = setting(5, affects="end", unit="epochs")
    """Number of passes over the train split."""
    batch_size: int = setting(2048, unit="frames")
    """Number of frames per step."""
    final_batch_size: int | None = setting(None, unit="frames")
    """Number of frames per step in the last epoch. The batch size grows geometrically from
    epoch to epoch. null keeps batch_size."""
    average: Literal["none", "ema", "swa"] = "none"
    """Evaluate and save averaged weights: an exponential moving average of all steps, or the
    mean of the steps after average_from."""
    ema_decay: float = 0.999
    """With average=ema, decay of the average per step. It is smaller in the first steps."""
    average_from: float = setting(0.75, unit="share of steps")
    """With average=swa, point of the training at which averaging starts."""
    order: Literal["shuffle", "windows"] = "shuffle"
    """Order of the frames in an epoch. shuffle draws a random permutation of all frames.
    windows is for stores larger than memory, that of a GPU included: it shuffles blocks of
    1,024 consecutive frames, and then the frames within buffers of several blocks, so that
    they are read in large pieces."""
    window_frames: int = setting(262_144, unit="frames")
    """With order=windows, size of a buffer. Two buffers should fit in memory."""
    patience: int | None = setting(None, affects="end", unit="epochs")
    """Stop after this many consecutive epochs without improvement of the objective. null never
    stops early."""
    max_minutes: float | None = setting(None, affects="end", unit="minutes")
    """Stop after this duration of training steps; all else, as evaluation, does not count. null
    has no limit."""
    smooth: bool = setting(True, affects="end")
    """After training, report dev/smoothed_accuracy: the accuracy of the best epoch after
    Viterbi smoothing with a phone bigram, which is counted on train and weighted to suit
    dev."""
    checkpoint_minutes: float = setting(10.0, affects="nothing", unit="minutes")
    """Save a checkpoint at this interval, in addition to the one after each epoch."""

    def __post_init__(self) -> None:
        """Check the ranges of the `train` group.

        Raises:
            ConfigError: naming the key, its rule and the value found.
        """
        require_group_in_ranges("train", self)


@dataclass(kw_only=True, slots=True)
class SweepConfig:
    """How a sweep continues its study and treats failed trials."""

    new: bool = setting(False, affects="nothing")
    """Start a new study under a new name instead of continuing the existing one."""
    extend: bool = setting(False, affects="nothing")
    """Continue a study after its space or its fixed values have changed: a study named STUDY-2
    extends it, with the same MLflow parent. The sampler learns from earlier trials that are
    points of the new space with the same fixed values; the others remain as history."""
    start_from: list[str] = setting([], affects="nothing")
    """Known points that a search tries first, as [defaults,quick,RUN_ID,STUDY]: the config
    without the sweep, a recipe, a run, or the best trial of a study. The sampler also learns
    from the trials of that study, where its space agrees."""
    preview: bool = setting(False, affects="nothing")
    """Print what the sweep would train, and how long it would take, instead of training."""
    retries: int = setting(1, affects="nothing", unit="attempts")
    """Number of times that a failed trial is run again."""


@dataclass(kw_only=True, slots=True)
class RunConfig:
    """The complete config of one training run."""

    data: DataConfig = MISSING
    model: ModelConfig = MISSING
    optim: OptimConfig = MISSING
    augment: AugmentConfig = MISSING
    hardware: HardwareConfig = MISSING
    tracking: TrackingConfig = MISSING
    train: TrainConfig = field(default_factory=TrainConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    seed: int = 0
    """Seed of the initial weights, the order of the frames, dropout and augmentation."""
    objective: str = "dev/accuracy"
    """Metric by which the best epoch is chosen. In a search, its value in that epoch is the
    value of the trial. Losses and phone error rates are minimized, all other metrics
    maximized."""
    further_objectives: list[str] = setting([], affects="end")
    """Additional metrics of the best epoch, for a search with several objectives."""
    outputs: str = setting("outputs", affects="nothing")
    """Directory of everything that runs write. Its default can be set by FRAMESWEEP_OUTPUTS."""
    resume: str | None = setting(None, affects="nothing")
    """Resume this run from its last checkpoint: its id in MLflow or the beginning of one, its
    name, its directory, last or best."""
