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
    normalize: Literal["none", "utterance", "speaker", "sliding", "global"] = "none"
    """Mean and variance per bin: not at all, over each utterance, over all utterances of its
    speaker in the split, over a window around each frame, or over all of train."""
    normalize_frames: int = 300
    """With normalize=sliding: frames in the window."""
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
    min_snr: float = 10.0
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
class SegmentsConfig(DataConfig):
    """Sound files with files of phone segments: TIMIT, Festival, HTK, Praat and MFA."""

    audio: str = ""
    """Folder of the sound files, under root; empty for root itself."""
    segments: str = ""
    """Folder of the segment files, under root, with the same names and folders as audio."""
    format: Literal["auto", "phn", "xlabel", "htk", "textgrid"] = "auto"
    """Format of the segments; auto goes by their suffix."""
    tier: str = "phones"
    """Tier of a TextGrid that holds the phones."""
    exclude: str | None = None
    """Regular expression; utterances whose path under audio it finds are left out."""
    max_missing: float = 0.05
    """Largest share of sound files that may lack segments, 0 to 1; they are left out."""
    phones: str | None = None
    """File of phones, one a line or `PHONE id`; null for all phones of the corpus, sorted."""
    fold: Literal["48", "39", "unstressed"] | None = None
    """Merge phones before training: TIMIT's 61 to 48 or 39, or 71 stress-marked to 41."""
    gap_phone: str | None = None
    """Label of frames that no segment covers and of segments with an empty name; null for the
    phones' own silence, or sil."""
    split: Literal["folders", "lists", "speakers", "utterances"] = "folders"
    """What tells splits apart: folders, list files, a share of speakers, or of utterances."""
    train: str = "train"
    """With split=folders a folder under audio, whatever its case; with lists a file under root
    with an utterance or a folder a line. With speakers or utterances not used."""
    dev: str | None = "dev"
    """As train; null takes dev_share of train's speakers, or, without speaker, utterances."""
    test: str | None = "test"
    """As train; null for no test split."""
    speaker: str | None = None
    """Regular expression on the path under audio; its first group is the speaker."""
    dev_speakers: list[str] | None = None
    """With split=folders, keep only these speakers in dev; null for all."""
    test_speakers: list[str] | None = None
    """With split=folders, keep only these speakers in test; null for all."""
    dev_share: float = 0.1
    """Share of speakers, or of utterances, that become dev, 0 to 1."""
    test_share: float = 0.1
    """Share of speakers, or of utterances, that become test, 0 to 1."""
    sample_rate: int = 16_000
    """Rate in Hz to which all sound is brought."""
    features: Literal["fbank", "mfcc"] = "fbank"
    """Log-mel bins or mel-frequency cepstral coefficients."""
    num_mel_bins: int = 40
    """Mel bins a frame; with mfcc, of the spectrum they are made from."""
    num_ceps: int = 13
    """With mfcc: coefficients a frame."""
    window_ms: float = 25.0
    """Length of a frame's window in ms."""
    shift_ms: float = 10.0
    """Time from one frame to the next in ms."""
    window_type: Literal["povey", "hamming", "hanning", "rectangular"] = "povey"
    """Window function."""
    low_freq: float = 20.0
    """Lower edge of the first mel filter in Hz."""
    high_freq: float = 0.0
    """Upper edge of the last mel filter in Hz; 0 or less counts from half the sample rate."""
    use_energy: bool = False
    """Log energy of the frame, before the mel bins or in place of cepstrum 0."""
    deltas: int = 0
    """Append time derivatives up to this order, 0 to 2."""
    workers: int | None = None
    """Processes that read and analyse sound; null for all cores."""


@dataclass(kw_only=True, slots=True)
class KaldiConfig(DataConfig):
    """Kaldi feature archives and frame alignments, a folder a split."""

    train: str = "train"
    """Folder of the train split, under root."""
    dev: str = "dev"
    """Folder of the dev split, under root."""
    test: str | None = "test"
    """Folder of the test split, under root; it may lack alignments, or be absent."""
    features: str = "feats.scp"
    """Index of the features, in each split's folder."""
    alignments: str = "ali.scp"
    """Frame labels in each split's folder: an index, or a text of `UTTERANCE id id ...`."""
    phones: str | None = None
    """File of `NAME id` lines under root, as phones.txt; null numbers the classes."""
    max_missing: float = 0.05
    """Largest share of utterances, 0 to 1, that may lack features or alignments, or differ in
    their numbers of frames; they are left out."""


@dataclass(kw_only=True, slots=True)
class ModelConfig:
    """A multi-layer perceptron over context windows."""

    widths: list[int] | None = None
    """Units of each hidden layer, [] for none; or null, and shape, width and depth say."""
    shape: Literal["cylinder", "pyramid", "inverse", "diamond"] = "cylinder"
    """Widths from input to output: equal, falling to a quarter, rising, or widest amid."""
    width: int | None = None
    """Units of the widest layer."""
    depth: int | None = None
    """Number of hidden layers."""
    max_params: float | None = None
    """With shape and depth and no width: the widest network with at most so many parameters."""
    dropout: float | int | list[float | int] = 0.2
    """Share of units dropped, below 1: one number, or a list with one a hidden layer."""
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
    gain: float = 0.0
    """Standard deviation of an offset a bin, drawn once a window, as by another channel."""
    noise: float = 0.0
    """Standard deviation of noise on every value of a window, in units of the features."""


@dataclass(kw_only=True, slots=True)
class HardwareConfig:
    """Where and in which precision to compute."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device; auto takes cuda, then mps, then cpu."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Precision of matrix products; auto takes bf16 where the processor is faster in it."""
    threads: int | None = None
    """Threads on the processor; null for OMP_NUM_THREADS where set, else all usable cores."""
    compile: bool = False
    """Compile the network with torch.compile; it takes a C++ compiler."""


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
    final_batch_size: int | None = None
    """Frames a step in the last epoch, reached by equal factors; null for batch_size."""
    average: Literal["none", "ema", "swa"] = "none"
    """Evaluate and keep averaged weights: with exponential decay, or equally from
    average_from on."""
    ema_decay: float = 0.999
    """With average=ema: share of the average that a step keeps."""
    average_from: float = 0.75
    """With average=swa: share of all steps before the first that counts."""
    patience: int | None = None
    """Stop after so many epochs without a better objective; null for never."""
    max_minutes: float | None = None
    """Stop after so many minutes of training; null for never."""
    smooth: bool = True
    """At the end, report dev/smoothed_accuracy: the best epoch's posteriors smoothed by a chain
    of phones counted on train, its strength tuned on dev."""
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
    further_objectives: list[str] = field(default_factory=list)
    """Further metrics of the best epoch to return, for searches with several objectives."""
    outputs: str = "outputs"
    """Folder of everything runs write."""
    resume: str | None = None
    """Continue the run with this MLflow id, or in this directory, from its last checkpoint."""


SCHEMAS: dict[str, dict[str, type]] = {
    "data": {
        "demo": DemoConfig,
        "hw1p2": Hw1p2Config,
        "hw1p2_folders": Hw1p2FoldersConfig,
        "segments": SegmentsConfig,
        "kaldi": KaldiConfig,
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
