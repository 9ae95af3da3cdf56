"""A chain of phones counted on labels."""

import numpy as np
import pytest

from framesweep.evaluation import phone_chain
from framesweep.evaluation.phone_chain import count_chain


def test_counts_stay_within_utterances():
    chain = count_chain(np.array([0, 0, 1, 1, 1, 0]), np.array([3, 3]), 2)
    # Within utterances 0-0, 0-1, 1-1, 1-0 occur once each; 1 to 1 across the border does not.
    assert np.allclose(np.exp(chain.log_transition), [[0.5, 0.5], [0.5, 0.5]])
    assert np.allclose(np.exp(chain.log_start), [0.5, 0.5])
    assert np.allclose(np.exp(chain.log_prior), [0.5, 0.5])


@pytest.mark.parametrize("at_once", [1, 3, 7, 1000])
def test_counts_do_not_depend_on_how_many_are_counted_at_once(monkeypatch, at_once):
    labels = np.random.default_rng(4).integers(0, 5, 50).astype(np.int16)
    lengths = np.array([1, 20, 7, 22])
    whole = count_chain(labels, lengths, 5)
    monkeypatch.setattr(phone_chain, "COUNTED_AT_ONCE", at_once)
    parts = count_chain(labels, lengths, 5)
    for name in ("log_prior", "log_start", "log_transition"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
