"""Schemas of every config group: types and rules here, values in conf/*.yaml."""

from dataclasses import dataclass, field
from typing import Literal

from omegaconf import MISSING

MAX_CONTEXT = 50
"""Largest context a frame store is prepared for, in frames a side."""


@dataclass(kw_only=True, slots=True)
class DataConfig:
    """What every corpus has in common."""

    root: str | None = None
    """Folder of the corpus; the demo corpus needs none."""
    context: int = 25
    """Frames to each side of the centre frame, 0 to 50; the window has 2*context+1."""
    padding: Literal["zero", "replicate", "cross"] = "zero"
    """Beyond an utterance's edge: zeros, its edge frame, or the neighbouring utterance."""
    normalize: Literal["none", "utterance", "global"] = "none"
    """Mean and variance per bin: not at all, over each utterance, or over all of train."""
    dtype: Literal["float32", "float16"] = "float32"
    """Precision in which prepared features are stored."""
    max_utterances: int | None = None
    """Read only this many utterances of each split, from its start; null for all."""
    cache: str | None = None
    """Folder for prepared stores; null for outputs/cache."""


@dataclass(kw_only=True, slots=True)
class DemoConfig(DataConfig):
    """Sentences spoken by eSpeak NG: no download, exact boundaries."""

    train_minutes: float = 20.0
    """Speech to make for train, in minutes."""
    dev_minutes: float = 3.0
    """Speech to make for dev, in minutes."""
    test_minutes: float = 3.0
    """Speech to make for test, in minutes."""
    num_mel_bins: int = 40
    """Log-mel bins a frame."""
    min_snr: float = 5.0
    """Loudest noise added, as signal-to-noise ratio in dB."""
    max_snr: float = 30.0
    """Softest noise added, as signal-to-noise ratio in dB."""
    seed: int = 0
    """Chooses sentences, voices and noise; not the training seed."""


@dataclass(kw_only=True, slots=True)
class Hw1p2Config(DataConfig):
    """CMU 11-785 HW1P2 until F21: one object array a split."""

    phones: str | None = None
    """File of `PHONE id` lines; null for root/phonemes.txt where it exists."""


@dataclass(kw_only=True, slots=True)
class Hw1p2FoldersConfig(DataConfig):
    """CMU 11-785 HW1P2 since S22: one folder a partition, one file an utterance."""

    train_partition: str = "train-clean-100"
    """Folder of the train split, under root."""
    dev_partition: str = "dev-clean"
    """Folder of the dev split, under root."""
    test_partition: str = "test-clean"
    """Folder of the test split, under root; it may lack transcripts or be absent."""
    test_order: str = "test_order.csv"
    """File under root that orders the test utterances, where present."""
    phones: str | None = None
    """File of `PHONE id` lines; null for root/phonemes.txt, else the phones seen, sorted."""


@dataclass(kw_only=True, slots=True)
class ModelConfig:
    """A multi-layer perceptron over context windows."""

    widths: list[int] | None = None
    """Units of each hidden layer; or null, and shape, width and depth say."""
    shape: Literal["cylinder", "pyramid", "inverse", "diamond"] = "cylinder"
    """How widths run from input to output: equal, falling, rising, or widest amid."""
    width: int | None = None
    """Units of the widest layer."""
    depth: int | None = None
    """Number of hidden layers."""
    max_params: float | None = None
    """With shape and depth and no width: the widest network with at most so many parameters."""
    dropout: float | list[float] = 0.2
    """Share of units dropped, 0 to 1: one number, or a list with one a layer."""
    activation: Literal["relu", "gelu", "silu", "leaky_relu"] = "relu"
    """Non-linearity after each hidden layer."""
    norm: Literal["batch", "layer", "none"] = "batch"
    """Normalisation between linear layer and activation."""
    init: Literal["default", "kaiming", "xavier", "orthogonal"] = "default"
    """Initial weights; default is torch's own."""
    residual: bool = False
    """Add a layer's input to its output where their widths are equal."""


@dataclass(kw_only=True, slots=True)
class OptimConfig:
    """What every optimizer has in common, its schedule, and the loss's details."""

    lr: float = 1e-3
    """Learning rate; for onecycle and cosine, its peak."""
    weight_decay: float = 0.0
    """Weight decay; decoupled for adamw and muon."""
    schedule: Literal["constant", "onecycle", "cosine", "plateau", "step"] = "constant"
    """How the learning rate moves."""
    warmup: float = 0.1
    """Share of all steps in which onecycle and cosine rise to the peak."""
    final_lr: float = 0.01
    """Learning rate at the end of cosine, as a share of the peak."""
    step_epochs: int = 5
    """With schedule=step: epochs between two drops."""
    patience: int = 1
    """With schedule=plateau: epochs without a better objective before a drop."""
    gamma: float = 0.5
    """With schedule=step or plateau: factor of a drop."""
    clip_norm: float | None = None
    """Largest 2-norm of the whole gradient; null for no clipping."""
    label_smoothing: float = 0.0
    """Share of the target spread evenly over all classes, 0 to 1."""


@dataclass(kw_only=True, slots=True)
class AdamConfig(OptimConfig):
    """Adam (Kingma and Ba, 2015)."""

    beta1: float = 0.9
    """Decay of the running mean of gradients."""
    beta2: float = 0.999
    """Decay of the running mean of squared gradients."""
    eps: float = 1e-8
    """Added to the denominator."""


@dataclass(kw_only=True, slots=True)
class AdamWConfig(AdamConfig):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""


@dataclass(kw_only=True, slots=True)
class SgdConfig(OptimConfig):
    """Stochastic gradient descent."""

    momentum: float = 0.9
    """Share of the last update that is kept."""
    nesterov: bool = True
    """Look ahead by the momentum."""


@dataclass(kw_only=True, slots=True)
class MuonConfig(OptimConfig):
    """Muon on hidden weight matrices, AdamW on all else (Jordan et al., 2024)."""

    momentum: float = 0.95
    """Share of the last update that is kept."""
    adam_lr: float = 1e-3
    """Peak learning rate of what AdamW updates."""


@dataclass(kw_only=True, slots=True)
class AugmentConfig:
    """Noise or masks on training windows; the centre frame is always kept."""

    time_masks: int = 0
    """Masks along time a window."""
    time_width: int = 5
    """Widest time mask, in frames."""
    freq_masks: int = 0
    """Masks along frequency a window."""
    freq_width: int = 6
    """Widest frequency mask, in bins."""


@dataclass(kw_only=True, slots=True)
class HardwareConfig:
    """Where and in which precision to compute."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device; auto takes cuda, then mps, then cpu."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Precision of matrix products; auto takes bf16 where the processor is faster in it."""
    threads: int | None = None
    """Threads on the processor; null for all cores."""
    compile: bool = False
    """Compile the network with torch.compile."""


@dataclass(kw_only=True, slots=True)
class TrackingConfig:
    """Where runs are logged."""

    backend: Literal["mlflow", "none"] = "mlflow"
    """Log to MLflow, or nowhere."""
    uri: str | None = None
    """Tracking URI; null for the SQLite file outputs/mlflow.db."""
    experiment: str = "framesweep"
    """Name of the experiment."""
    run_name: str | None = None
    """Name of the run; null lets MLflow choose one."""
    log_model: bool | None = None
    """Log the pyfunc model of the best epoch; null for yes in a run, no in a sweep."""
    tags: dict[str, str] = field(default_factory=dict)
    """Further tags of the run."""


@dataclass(kw_only=True, slots=True)
class TrainConfig:
    """The training loop."""

    epochs: int = 5
    """Passes over the train split."""
    batch_size: int = 2048
    """Frames a step."""
    patience: int | None = None
    """Stop after so many epochs without a better objective; null for never."""
    max_minutes: float | None = None
    """Stop after so many minutes of training; null for never."""
    checkpoint_minutes: float = 10.0
    """Checkpoint also within an epoch, so many minutes after the last one."""


@dataclass(kw_only=True, slots=True)
class SweepConfig:
    """What a sweep does beside its sampler's work."""

    new: bool = False
    """Start the study afresh under a new name instead of continuing it."""
    retries: int = 1
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
    """Metric that chooses the best epoch and is returned; one that ends in loss is minimised."""
    outputs: str = "outputs"
    """Folder of everything runs write."""
    resume: str | None = None
    """Id of an MLflow run to continue from its last checkpoint."""


SCHEMAS: dict[str, dict[str, type]] = {
    "data": {
        "demo": DemoConfig,
        "hw1p2": Hw1p2Config,
        "hw1p2_folders": Hw1p2FoldersConfig,
    },
    "model": {"mlp": ModelConfig},
    "optim": {
        "adam": AdamConfig,
        "adamw": AdamWConfig,
        "sgd": SgdConfig,
        "muon": MuonConfig,
    },
    "augment": {"augment": AugmentConfig},
    "hardware": {"hardware": HardwareConfig},
    "tracking": {"tracking": TrackingConfig},
}
"""The schemas an option file can name, by group: `/schema/<group>@_here_: <name>`."""
