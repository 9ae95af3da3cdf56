"""What networks and optimizers have in common, augmentation, and the hardware."""

from dataclasses import dataclass
from typing import Literal

from framesweep.config.key_ranges import require_group_in_ranges
from framesweep.config.registry import option
from framesweep.config.setting import setting

ScheduleName = Literal["constant", "onecycle", "cosine", "plateau", "step"]
FITTED_SCHEDULES: tuple[ScheduleName, ...] = ("onecycle", "cosine")
"""Schedules that end with the last step: the number of epochs affects every learning rate."""


@dataclass(kw_only=True, slots=True)
class ModelConfig:
    """The keys of every network."""

    dropout: float | int | list[float | int] = setting(0.2, unit="share")
    """Dropout probability, at least 0 and below 1: one number for all hidden layers, or a list
    with one number per hidden layer."""
    activation: str = "relu"
    """Activation function of the hidden layers: relu, gelu, silu, leaky_relu, or another entry
    of the registry in kernels/activations.py."""
    norm: Literal["batch", "layer", "none"] = "batch"
    """Normalization between the linear layer and the activation."""
    init: Literal["default", "kaiming", "xavier", "orthogonal"] = "default"
    """Distribution of the initial weights. default is that of torch."""

    def __post_init__(self) -> None:
        """Check the ranges of the `model` group; the network checks what depends on others.

        Raises:
            ConfigError: naming the key, its rule and the value found.
        """
        require_group_in_ranges("model", self)


@dataclass(kw_only=True, slots=True)
class OptimConfig:
    """The keys of every optimizer: the learning rate and its schedule, and the loss."""

    lr: float = 1e-3
    """Learning rate; with schedule=onecycle or cosine, its peak."""
    weight_decay: float = 0.0
    """Weight decay of weight matrices. Biases and normalization layers have none. It is
    decoupled from the gradient with adamw and muon."""
    schedule: ScheduleName = "constant"
    """Schedule of the learning rate."""
    warmup: float = setting(0.1, unit="share of steps")
    """With schedule=onecycle or cosine, duration of the rise to the peak."""
    final_lr: float = setting(0.01, unit="share of lr")
    """With schedule=cosine, learning rate of the last step."""
    step_epochs: int = setting(5, unit="epochs")
    """With schedule=step, epochs between two reductions of the learning rate."""
    patience: int = setting(1, unit="epochs")
    """With schedule=plateau, number of consecutive epochs without improvement of the objective
    after which the learning rate is reduced."""
    gamma: float = 0.5
    """With schedule=step or plateau, factor of each reduction."""
    clip_norm: float | None = None
    """Scale the gradient down to this 2-norm if its norm is larger. null never clips."""
    label_smoothing: float = setting(0.0, unit="share")
    """Share of the target distribution that is uniform over all phones, at least 0 and below
    1."""
    class_weights: Literal["none", "sqrt", "inverse"] = "none"
    """Weight of a frame's loss: 1, or proportional to 1 / sqrt(n) or to 1 / n, where n is the
    number of frames of its phone in train."""

    def __post_init__(self) -> None:
        """Check the ranges of the `optim` group, and the rules of the optimizer.

        Raises:
            ConfigError: naming the key, its rule, the value found and the fix.
        """
        require_group_in_ranges("optim", self)
        self.validate_own_keys()

    def validate_own_keys(self) -> None:
        """Check the keys that only this optimizer has; an optimizer with rules overrides it."""


@option("augment", "augment")
@dataclass(kw_only=True, slots=True)
class AugmentConfig:
    """Random changes of training windows, or of chunks, as some networks read them. Masks
    never cover the center frame of a window, but may cover any frame of a chunk."""

    time_masks: int = setting(0, unit="masks per window")
    """Number of time masks, which set consecutive frames to zero."""
    time_width: int = setting(5, unit="frames")
    """Largest width of a time mask. It is limited to the width of the window."""
    freq_masks: int = setting(0, unit="masks per window")
    """Number of frequency masks, which set neighboring mel bins to zero."""
    freq_width: int = setting(6, unit="mel bins")
    """Largest width of a frequency mask."""
    shift: int = setting(0, unit="mel bins")
    """Largest shift of the spectrum of a window, up or down, which imitates the length of
    another vocal tract."""
    tempo: float = setting(0.0, unit="share")
    """Largest relative change of the tempo of a window, at least 0 and below 1, which imitates
    another rate of speech."""
    gain: float = setting(0.0, unit="feature units")
    """Standard deviation of a random offset per mel bin, drawn once per window, which imitates
    another channel."""
    noise: float = setting(0.0, unit="feature units")
    """Standard deviation of Gaussian noise added to each value of a window."""

    def __post_init__(self) -> None:
        """Check the ranges of the `augment` group.

        Raises:
            ConfigError: naming the key, its rule and the value found.
        """
        require_group_in_ranges("augment", self)


@option("hardware", "hardware")
@dataclass(kw_only=True, slots=True)
class HardwareConfig:
    """The device, the precision and the processes that train."""

    device: Literal["auto", "cpu", "cuda", "xpu", "mps"] = setting("auto", affects="rounding")
    """Device to train on. auto takes the first that torch can use of cuda, xpu, mps and cpu,
    and warns of an NVIDIA GPU that torch cannot use. xpu (Intel) and mps (Apple) have not been
    measured."""
    precision: Literal["auto", "fp32", "tf32", "bf16", "fp16"] = setting(
        "auto", affects="rounding"
    )
    """Precision of matrix multiplications. auto takes the fastest that a CPU or an NVIDIA GPU
    has hardware for, and fp32 on xpu and mps. tf32 is fp32 whose matrix multiplications round
    their factors to 10 bits, which NVIDIA GPUs can do from compute capability 8.0 on. Weights
    are always stored in fp32."""
    threads: int | None = setting(None, affects="rounding", unit="threads")
    """CPU threads per process. null divides OMP_NUM_THREADS, or all cores if it is not set, by
    the number of processes."""
    processes: int = setting(1, affects="rounding", unit="processes")
    """Processes on this machine that train together. The result is the same up to rounding.
    Ignored under torchrun, which starts the processes itself."""
    timeout_minutes: float = setting(10.0, affects="nothing", unit="minutes")
    """Time after which a process that does not respond is considered lost."""
    compile: bool = setting(False, affects="rounding")
    """Compile the training step with torch.compile: reading the batch, augmentation, network,
    loss and metrics. This requires Triton on an NVIDIA GPU, a C++ compiler elsewhere."""
    cuda_graph: Literal["auto", True, False] = setting("auto", affects="rounding")
    """Record the training step as a CUDA graph and replay it, so that the GPU does not wait
    for the launch of each kernel. auto does so on an NVIDIA GPU where it is possible: in a run
    of one process, with batches of a constant size."""
    max_store_gib: float | None = setting(None, affects="rounding", unit="GiB")
    """Largest size of the features that are kept in the memory of the device. Those of a split
    that is larger are sent to it in blocks while it computes. For a network that reads windows,
    this requires train.order=windows, which is then set and saved with the run. Such a network
    thus trains in another order, and its weights differ by more than rounding. null allows 70%
    of the free memory of a GPU, and has no limit on a CPU."""

    def __post_init__(self) -> None:
        """Check the ranges of the `hardware` group.

        Raises:
            ConfigError: naming the key, its rule, the value found and the fix.
        """
        require_group_in_ranges("hardware", self)
