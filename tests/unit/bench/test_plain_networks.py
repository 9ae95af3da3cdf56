"""Plain networks have the sizes of those that they stand for."""

from dataclasses import replace
from typing import cast

import pytest
import torch

from framesweep.bench.corpus import NUM_CLASSES
from framesweep.bench.plain_networks import build_plain
from framesweep.config import TdnnConfig
from framesweep.models.network import Network


@pytest.mark.parametrize("model", ["small", "conv", "tdnn"])
def test_a_plain_network_maps_a_batch_to_as_many_logits(case, model) -> None:
    experiment = replace(case, model=model, context=31, batch_size=64).build_experiment()
    network, train = cast(Network, experiment.components.model), experiment.train
    config = experiment.config.model
    stride = config.stride if isinstance(config, TdnnConfig) else 1
    plain = build_plain(network, config, NUM_CLASSES, train.feature_dim, stride)
    assert plain is not None
    items = torch.zeros(experiment.plan.batch_items(1, train.item_frames), dtype=torch.int64)
    inputs, labels = train.batch(items)
    assert plain(inputs).shape == network(inputs).shape == (len(labels), NUM_CLASSES)
    matrices = [sum(p.numel() for p in n.parameters() if p.ndim > 1) for n in (plain, network)]
    assert matrices[0] == matrices[1]


def test_there_is_none_for_a_network_with_shortcuts(case) -> None:
    experiment = replace(case, model="deep").build_experiment()
    network = cast(Network, experiment.components.model)
    assert build_plain(network, experiment.config.model, NUM_CLASSES, 40, 1) is None
