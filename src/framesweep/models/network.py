"""What training and evaluation require of a network, and the defaults for most of it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from framesweep.config import ModelConfig
from framesweep.config.registry import builder_of
from framesweep.distributed.collectives import Shard


@dataclass(frozen=True, slots=True)
class ChunkShape:
    """The chunks of neighboring frames that a network is trained on.

    Attributes:
        num_frames: Frames per chunk, not counting the context around them.
        stride: Distance in frames from one that is trained on to the next.
        within_utterances: Whether no chunk extends beyond an utterance, as `SequenceNetwork`
            requires; num_frames is then what `cut_utterances` takes as `chunk_frames`.
    """

    num_frames: int
    stride: int
    within_utterances: bool = False


StretchClassifier = Callable[[Tensor, Tensor], Tensor]
"""Maps a stretch of rows, (1, T * feature_dim), and the (B,) int64 rows at which windows start
to the (B, C) logits of the windows. Some of the rows may be padding between utterances."""


class Network(nn.Module, ABC):
    """A classifier of frames by their context windows.

    A network must define `from_config` and `forward`. The rest has defaults that suit a network
    which reads windows and is evaluated by its own modules.

    The linear layer that computes the logits is called `output`. With another `model.init` than
    default, the weights of every `nn.Linear` are drawn anew: those of `output` with gain 1, all
    others with the gain for ReLU, the square root of 2. All their biases become 0, whatever the
    network itself has set them to.

    Attributes:
        widths: Units of each hidden layer, for the log and for tracking.
    """

    widths: tuple[int, ...] = ()

    @classmethod
    @abstractmethod
    def from_config(cls, config: Any, feature_dim: int, num_classes: int, context: int) -> Self:
        """Return the untrained network that `config` describes, on the CPU.

        Args:
            config: The network's own schema.
            feature_dim: Values per frame.
            num_classes: Number of phones.
            context: Frames to each side of the center frame.

        Raises:
            ConfigError: As `validate`, or if the sizes of the data do not suit the config.
        """

    @classmethod
    def validate(cls, config: Any, context: int) -> None:
        """Check the rules that the schema's types cannot express, before any data is read.

        Raises:
            ConfigError: naming the key, its rule, the value found and the fix.
        """

    @classmethod
    def chunk_shape(cls, config: Any) -> ChunkShape | None:
        """Return the chunks to train on, or None for a network that reads windows.

        In training, `forward` then takes chunks of L neighboring frames with the context of the
        first and the last, (N, (L + 2*context) * feature_dim), and returns the logits of every
        `stride`-th frame.
        """
        return None

    @abstractmethod
    def forward(self, x: Tensor, shard: Shard | None = None) -> Tensor:
        """Map (B, (2*context + 1) * feature_dim) windows to (B, num_classes) logits.

        Args:
            x: The windows, frame after frame.
            shard: Which rows of the training batch these are, if several processes divide it.
        """

    def fused_eval(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
        """Return an equivalent of `forward` for evaluation, valid until the weights change.

        A network whose layers can be computed faster in evaluation overrides it. By default it
        is the network itself, which is called under autocast.

        Args:
            dtype: The type of the input.
        """
        return self

    def stretch_eval(self, dtype: torch.dtype | None = None) -> StretchClassifier | None:
        """Return what classifies neighboring windows together in evaluation.

        Neighboring windows have most frames in common. A network that can compute once what
        they share overrides this. What it returns is valid until the weights change. It is None
        in training, and for a network whose windows share nothing.

        Args:
            dtype: The type of the rows, to compute them in a faster form; None to compute them
                by the network's own modules, in the type that they have.
        """
        return None


def network_class(config: ModelConfig) -> type[Network]:
    """Return the class that the schema of `config` names in `built_by`."""
    kind: type[Network] = builder_of(config)
    return kind
