"""Schemas of a run, and the run as a whole."""

from dataclasses import dataclass, field
from typing import Literal

from omegaconf import MISSING

from framesweep.config.data import DataConfig
from framesweep.config.network import AugmentConfig, HardwareConfig, ModelConfig, OptimConfig
from framesweep.config.registry import option
from framesweep.config.setting import setting


@option("tracking", "tracking")
@dataclass(kw_only=True, slots=True)
class TrackingConfig:
    """Where runs are logged."""

    backend: Literal["mlflow", "none"] = setting("mlflow", affects="nothing")
    """Log to MLflow, or nowhere."""
    uri: str | None = setting(None, affects="nothing")
    """Tracking URI; null for FRAMESWEEP_TRACKING_URI where set, else outputs/mlflow.db."""
    experiment: str = setting("framesweep", affects="nothing")
    """Name of the experiment."""
    run_name: str | None = setting(None, affects="nothing")
    """Name of the run; null lets MLflow choose one."""
    log_model: bool | None = setting(None, affects="nothing")
    """Log the pyfunc model of the best epoch; null for yes in a run, no in a sweep."""
    tags: dict[str, str] = setting({}, affects="nothing")
    """Further tags of the run."""


@dataclass(kw_only=True, slots=True)
class TrainConfig:
    """The training loop."""

    epochs: int = setting(5, affects="end")
    """Passes over the train split."""
    batch_size: int = 2048
    """Frames a step."""
    final_batch_size: int | None = None
    """Frames a step in the last epoch, reached by equal factors; null for batch_size."""
    average: Literal["none", "ema", "swa"] = "none"
    """Evaluate and keep averaged weights: with exponential decay, or equally from
    average_from on."""
    ema_decay: float = 0.999
    """With average=ema: share of the average that a step keeps."""
    average_from: float = 0.75
    """With average=swa: share of all steps before the first that counts."""
    order: Literal["shuffle", "windows"] = "shuffle"
    """Order of the frames in an epoch: all shuffled, or, for a store that is larger than
    memory, runs of neighbouring frames shuffled and all frames in a window of runs. What is
    random: which runs share a window, and the order in it; frames of two windows never share
    a batch in that epoch."""
    window_frames: int = 262_144
    """With order=windows: frames to a window; two windows should fit in memory."""
    patience: int | None = setting(None, affects="end")
    """Stop after so many epochs without a better objective; null for never."""
    max_minutes: float | None = setting(None, affects="end")
    """Stop after so many minutes of training; null for never."""
    smooth: bool = setting(True, affects="end")
    """At the end, report dev/smoothed_accuracy: the best epoch's posteriors smoothed by a chain
    of phones counted on train, its strength tuned on dev."""
    checkpoint_minutes: float = setting(10.0, affects="nothing")
    """Checkpoint also within an epoch, so many minutes after the last one."""


@dataclass(kw_only=True, slots=True)
class SweepConfig:
    """What a sweep does beside its sampler's work."""

    new: bool = setting(False, affects="nothing")
    """Start the study afresh under a new name instead of continuing it."""
    retries: int = setting(1, affects="nothing")
    """Attempts after the first before a failed trial is left."""


@dataclass(kw_only=True, slots=True)
class RunConfig:
    """One training run, whole."""

    data: DataConfig = MISSING
    model: ModelConfig = MISSING
    optim: OptimConfig = MISSING
    augment: AugmentConfig = MISSING
    hardware: HardwareConfig = MISSING
    tracking: TrackingConfig = MISSING
    train: TrainConfig = field(default_factory=TrainConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    seed: int = 0
    """Seed of weights, frame order, dropout and masks."""
    objective: str = "dev/accuracy"
    """Metric that chooses the best epoch and is returned; a loss is minimised."""
    further_objectives: list[str] = setting([], affects="end")
    """Further metrics of the best epoch to return, for searches with several objectives."""
    outputs: str = setting("outputs", affects="nothing")
    """Folder of everything runs write."""
    resume: str | None = setting(None, affects="nothing")
    """Continue the run with this MLflow id, or in this directory, from its last checkpoint."""
