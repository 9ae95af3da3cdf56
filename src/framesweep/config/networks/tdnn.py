"""Options of the time-delay network."""

from dataclasses import dataclass, field

from framesweep.config.network import ModelConfig
from framesweep.config.registry import option


@option("model", "tdnn")
@dataclass(kw_only=True, slots=True)
class TdnnConfig(ModelConfig):
    """A time-delay network: dilated convolutions over time, of which neighbouring frames share
    all that their windows have in common."""

    channels: int = 384
    """Units of each hidden layer."""
    kernel: int = 3
    """Frames of the layer before that a layer sees at once; odd."""
    dilations: list[int] = field(default_factory=lambda: [1, 1, 2, 4, 4, 4, 8])
    """Frames from one of these to the next, one number a hidden layer; all layers together
    reach (kernel - 1) / 2 times their sum to each side, at most data.context."""
    run_frames: int = 128
    """Neighbouring frames whose layers are shared in training, to be looked up together."""
    stride: int = 4
    """Frames in a run from one that is trained on to the next, as neighbours tell little new;
    which ones these are changes from epoch to epoch. train.batch_size counts these alone."""
