"""The recursion for GPUs against the one for CPUs."""

import numpy as np
import pytest

from framesweep.evaluation import viterbi, viterbi_on_device
from framesweep.evaluation.phone_chain import count_chain
from framesweep.evaluation.viterbi import Strength, smooth, tune


@pytest.mark.parametrize("strength", [Strength(1.0, 0.0), Strength(2.5, 0.7), Strength(0.0, 1)])
@pytest.mark.parametrize("cells", [1, 80, 1 << 25])
def test_the_recursion_for_devices_finds_the_same_paths(monkeypatch, strength, cells):
    """The CPU takes the place of a GPU."""
    rng, lengths = np.random.default_rng(2), np.array([17, 1, 40, 40, 3, 1, 22, 160, 9])
    logits = rng.normal(size=(lengths.sum(), 6)).astype(np.float32)
    log_posteriors = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    labels = np.repeat(rng.integers(0, 6, size=len(logits)), 3)[: len(logits)]
    chain = count_chain(labels, lengths, 6)
    expected = smooth(log_posteriors, lengths, chain, strength)
    tuned = tune(log_posteriors, labels, lengths, chain)
    monkeypatch.setattr(viterbi_on_device, "DEVICES", ("cpu",))
    monkeypatch.setattr(viterbi_on_device, "BATCH_CELLS", cells)
    monkeypatch.setattr(viterbi, "_find_paths", None)
    np.testing.assert_array_equal(smooth(log_posteriors, lengths, chain, strength), expected)
    assert tune(log_posteriors, labels, lengths, chain) == tuned
