"""A smoother that is stored with a model finds the same paths when it is loaded."""

from dataclasses import replace

import numpy as np
import pytest

from framesweep.errors import CheckpointError
from framesweep.evaluation.phone_chain import count_chain
from framesweep.evaluation.smoother_file import (
    SMOOTHER,
    average_smoothers,
    read_smoother,
    require_smoother,
    write_smoother,
)
from framesweep.evaluation.viterbi import Smoother, Strength


@pytest.fixture
def smoother() -> Smoother:
    labels = np.repeat(np.array([0, 1, 2, 1]), 5)
    return Smoother(count_chain(labels, np.array([20]), 3), Strength(1.5, 0.2))


def test_a_loaded_smoother_finds_the_same_path(tmp_path, smoother):
    write_smoother(tmp_path, smoother)
    loaded = read_smoother(tmp_path, 3)
    assert loaded is not None
    assert loaded.strength == smoother.strength
    logs = np.log(np.random.default_rng(0).dirichlet(np.ones(3), size=50))
    lengths = np.array([30, 20])
    assert (loaded(logs, lengths) == smoother(logs, lengths)).all()


def test_a_model_without_a_smoother_has_none(tmp_path):
    assert read_smoother(tmp_path, 3) is None
    with pytest.raises(CheckpointError, match=r"must contain smoother.*train\.smooth=true"):
        require_smoother(tmp_path, 3)


def test_a_damaged_smoother_is_named_in_one_line(tmp_path, smoother):
    write_smoother(tmp_path, smoother)
    data = bytearray((tmp_path / SMOOTHER).read_bytes())
    data[-3] ^= 1
    (tmp_path / SMOOTHER).write_bytes(data)
    with pytest.raises(CheckpointError, match=r"smoother\.safetensors: .*checksum"):
        read_smoother(tmp_path, 3)


def test_an_ensemble_smooths_with_the_mean_strength(smoother):
    weaker = Smoother(smoother.chain, Strength(0.5, 0.0))
    assert average_smoothers([smoother, weaker]).strength == Strength(1.0, 0.1)


def test_an_ensemble_does_not_depend_on_the_order_of_its_runs(smoother):
    """Runs on different shares of a corpus have different chains."""
    random = np.random.default_rng(0)
    smoothers = [
        replace(smoother, chain=count_chain(random.integers(0, 3, 40), np.array([25, 15]), 3))
        for _ in range(5)
    ]
    chain = average_smoothers(smoothers).chain
    again = average_smoothers([smoothers[i] for i in (3, 0, 4, 1, 2)]).chain
    for name in ("log_prior", "log_start", "log_transition"):
        table = getattr(chain, name)
        np.testing.assert_array_equal(table, getattr(again, name))
        np.testing.assert_allclose(np.exp(table).sum(axis=-1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("num_runs", [1, 2, 3, 7])
def test_the_chain_of_runs_on_the_same_data_stays_the_same_to_the_last_bit(num_runs):
    labels = np.random.default_rng(0).integers(0, 70, 100_000)
    smoother = Smoother(count_chain(labels, np.array([100_000]), 70), Strength(1.5, 0.2))
    chain = average_smoothers([smoother] * num_runs).chain
    for name in ("log_prior", "log_start", "log_transition"):
        table = getattr(chain, name)
        assert table.dtype == np.float32
        np.testing.assert_array_equal(table, getattr(smoother.chain, name))
