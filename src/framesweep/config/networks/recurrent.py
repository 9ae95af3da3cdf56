"""Options of recurrent networks."""

from dataclasses import dataclass
from typing import Literal

from framesweep.config.network import ModelConfig
from framesweep.config.registry import option
from framesweep.config.setting import setting


@dataclass(kw_only=True, slots=True)
class SequenceConfig(ModelConfig):
    """The keys of every network that reads sequences: utterances, or chunks of them. A chunk
    also sees data.context frames beyond each of its ends, as far as its utterance reaches."""

    norm: Literal["batch", "layer", "none"] = "layer"
    """Normalization of the output of each layer: layer or none, because the padding of shorter
    chunks would be part of the statistics of a batch."""
    layers: int = setting(3, unit="layers")
    """Number of layers."""
    width: int | None = setting(256, unit="units")
    """Width of each layer; a recurrent layer has as many units for each direction."""
    max_params: float | None = setting(None, unit="parameters")
    """Choose the largest width with at most this many parameters, instead of setting width."""
    chunk_frames: int = setting(300, unit="frames")
    """Frames per chunk. A longer utterance is cut into as few chunks of at most this length as
    possible, which are equally long in evaluation. In training, the cuts move by up to half a
    chunk from epoch to epoch, so that the first chunk of an utterance is longer and the last
    one shorter. 10000 makes a whole utterance one chunk."""
    step_frames: int = setting(2, unit="frames")
    """Neighboring frames that the layers read, and classify, in one step: 2 halves the time."""
    conv_channels: list[int] = setting([128, 128], unit="channels")
    """Output channels of each convolution over time before the layers; [] means none."""
    conv_kernel: int = setting(5, unit="frames")
    """Kernel size of the convolutions, an odd number."""


@option("model", "lstm", built_by="framesweep.models.recurrent:LstmNetwork")
@dataclass(kw_only=True, slots=True)
class LstmConfig(SequenceConfig):
    """A bidirectional LSTM over whole utterances or long chunks of them, with optional
    convolutions before it."""


@option("model", "gru", built_by="framesweep.models.recurrent:GruNetwork")
@dataclass(kw_only=True, slots=True)
class GruConfig(SequenceConfig):
    """A bidirectional GRU over whole utterances or long chunks of them, with optional
    convolutions before it. It has three quarters of the weights of an LSTM of the same width;
    on a CPU it is slower nevertheless, because torch has fast code there for the LSTM only."""


@option("model", "ligru", built_by="framesweep.models.recurrent:LightGruNetwork")
@dataclass(kw_only=True, slots=True)
class LightGruConfig(SequenceConfig):
    """A bidirectional light GRU over whole utterances or long chunks of them, with optional
    convolutions before it: a GRU with one gate and a rectified candidate, as pytorch-kaldi and
    SpeechBrain train it. It has half of the weights of an LSTM of the same width."""
