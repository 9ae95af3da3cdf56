"""Every registered network keeps the protocol, and the defaults suit one that reads windows."""

import pytest
import torch
from torch import Tensor, nn

from framesweep.config import SCHEMAS
from framesweep.models.network import ChunkShape, Network, network_class
from framesweep.models.sequence_network import SequenceNetwork

SCHEMAS_OF_NETWORKS = list(SCHEMAS["model"].values())


class Linear(Network):
    """The least that a network must define."""

    def __init__(self, feature_dim: int, num_classes: int, context: int) -> None:
        super().__init__()
        self.output = nn.Linear((2 * context + 1) * feature_dim, num_classes)

    @classmethod
    def from_config(cls, config, feature_dim, num_classes, context):
        return cls(feature_dim, num_classes, context)

    def forward(self, x: Tensor, shard=None) -> Tensor:
        return self.output(x)


def test_a_network_by_default_reads_windows_and_is_evaluated_by_itself():
    network = Linear.from_config(None, 3, 4, 2)
    assert network(torch.zeros(6, 15)).shape == (6, 4)
    assert network.fused_eval(torch.float32) is network
    assert network.stretch_eval(torch.float32) is None
    assert network.chunk_shape(None) is None
    assert network.widths == ()
    network.validate(None, 2)


def test_a_network_without_a_forward_pass_cannot_be_made():
    class Unfinished(Network):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Unfinished()  # type: ignore[abstract]


@pytest.mark.parametrize("schema", SCHEMAS_OF_NETWORKS, ids=lambda s: s.__name__)
def test_only_a_network_that_reads_sequences_is_trained_within_utterances(schema):
    kind = network_class(schema())
    assert issubclass(kind, Network)
    shape = kind.chunk_shape(schema())
    reads_sequences = issubclass(kind, SequenceNetwork)
    assert shape is None or isinstance(shape, ChunkShape)
    assert reads_sequences == (shape is not None and shape.within_utterances)
