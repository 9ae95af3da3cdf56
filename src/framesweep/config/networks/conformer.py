"""Options of the Conformer."""

from dataclasses import dataclass

from framesweep.config.networks.recurrent import SequenceConfig
from framesweep.config.registry import option
from framesweep.config.setting import setting


@option("model", "conformer", built_by="framesweep.models.conformer:Conformer")
@dataclass(kw_only=True, slots=True)
class ConformerConfig(SequenceConfig):
    """A Conformer: self-attention and convolutions over utterances or long chunks of them, with
    optional convolutions before it. The width must be a multiple of heads."""

    heads: int = setting(4, unit="heads")
    """Number of attention heads of each layer."""
    kernel: int = setting(15, unit="steps")
    """Kernel size of the depthwise convolution of each layer, an odd number."""
    expansion: int = setting(4, unit="times width")
    """Width of the hidden layer of the feed-forward modules."""
