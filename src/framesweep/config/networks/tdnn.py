"""Options of the time-delay network."""

from dataclasses import dataclass

from framesweep.config.network import ModelConfig
from framesweep.config.registry import option
from framesweep.config.setting import setting


@option("model", "tdnn", built_by="framesweep.models.tdnn:Tdnn")
@dataclass(kw_only=True, slots=True)
class TdnnConfig(ModelConfig):
    """A time-delay network: dilated convolutions over time. Windows of neighboring frames
    overlap, and the network computes what they have in common only once."""

    channels: int = setting(384, unit="units")
    """Width of each hidden layer."""
    kernel: int = setting(3, unit="frames")
    """Kernel size of the convolutions, an odd number."""
    dilations: list[int] = setting([1, 1, 2, 4, 4, 4, 8], unit="frames")
    """Dilation of each hidden layer. On each side the network sees (kernel - 1) / 2 times their
    sum, which must be at most data.context."""
    run_frames: int = setting(128, unit="frames")
    """Length of the chunks of consecutive frames that the network is trained on."""
    stride: int = setting(4, unit="frames")
    """Compute the loss on every stride-th frame of a chunk only, because neighboring frames are
    similar. The frames change from epoch to epoch; train.batch_size counts only these."""
