"""A portable network computes the posteriors of its predictor, by operations of torch alone."""

import numpy as np
import pytest
import torch

from exported import FEATURE_DIM, NETWORKS, NORMALIZATIONS, build_predictor, draw_utterance
from framesweep.evaluation.portable_network import PortableNetwork


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("num_frames", [1, 2, 30])
def test_every_network_has_the_posteriors_of_its_predictor(network, num_frames):
    predictor = build_predictor(network)
    features = draw_utterance(num_frames)
    found = PortableNetwork(predictor).eval()(torch.from_numpy(features))
    torch.testing.assert_close(found, predictor.log_posteriors(features), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
@pytest.mark.parametrize("padding", ["zero", "replicate", "cross"])
def test_every_normalization_and_padding_is_part_of_the_network(normalize, padding):
    predictor = build_predictor("mlp", f"data.normalize={normalize}", f"data.padding={padding}")
    network = PortableNetwork(predictor).eval()
    for num_frames in (1, 5, 6, 40):
        features = draw_utterance(num_frames)
        found = network(torch.from_numpy(features))
        expected = predictor.log_posteriors(features)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_a_constant_feature_becomes_zero_as_in_training():
    predictor = build_predictor("mlp", "data.normalize=utterance")
    features = np.full((9, FEATURE_DIM), 7.0, dtype=np.float32)
    found = PortableNetwork(predictor).eval()(torch.from_numpy(features))
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found, predictor.log_posteriors(features))


def test_no_frames_are_computed_beyond_an_utterance_shorter_than_a_chunk():
    predictor = build_predictor("lstm", "model.chunk_frames=10000")
    seen = []
    predictor.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    PortableNetwork(predictor).eval()(torch.from_numpy(draw_utterance(30)))
    assert seen == [(1, 30 * FEATURE_DIM)]
