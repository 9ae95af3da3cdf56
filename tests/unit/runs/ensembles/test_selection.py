"""Choosing the runs of an ensemble by its accuracy on dev."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from configs import compose
from framesweep.data.phones import PhoneSet
from framesweep.errors import ConfigError, DataError
from framesweep.runs.ensembles.selection import (
    MAX_STEPS,
    MIN_GAIN,
    Library,
    count_total_params,
    estimate_accuracy,
    require_same_task,
    select_ensemble,
)


def from_probabilities(*rights, num_params=None, lengths=None):
    """A library of two phones, of which 0 is right, by its probability in each network."""
    table = np.array(rights, dtype=np.float32)
    num_networks, num_frames = table.shape
    return Library(
        [np.stack((right, 1 - right), axis=1) for right in table],
        np.zeros(num_frames, dtype=np.int64),
        np.array(lengths or [num_frames]),
        num_params or [10] * num_networks,
    )


def make_library(*texts, **fields):
    """A library of networks that are right where their text has a 1."""
    return from_probabilities(*[[0.8 if c == "1" else 0.2 for c in t] for t in texts], **fields)


def indices(steps):
    return [step.index for step in steps]


def test_the_most_accurate_network_comes_first():
    steps = select_ensemble(make_library("1100", "1110", "1000"))
    assert indices(steps) == [1]
    assert steps[0].accuracy == 0.75


def test_a_weak_network_that_errs_elsewhere_is_preferred_to_a_strong_copy():
    strong, weak = [0.6, 0.6, 0.6, 0.6, 0.4, 0.4], [0.45, 0.45, 0.45, 0.45, 0.9, 0.9]
    steps = select_ensemble(from_probabilities(strong, strong, weak))
    assert indices(steps) == [0, 2]
    assert [step.accuracy for step in steps] == [pytest.approx(2 / 3), 1.0]


def test_a_network_may_be_added_twice():
    # Their plain mean is wrong on the first frame.
    strong, weak = [0.6] * 6 + [0.35] * 3, [0.31] + [0.45] * 5 + [0.9] * 3
    steps = select_ensemble(from_probabilities(strong, weak))
    assert indices(steps) == [0, 1, 0]
    assert steps[-1].accuracy == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_each_step_is_the_best_of_all_candidates(seed):
    rng = np.random.default_rng(seed)
    posteriors = [rng.dirichlet([1] * 4, size=60).astype(np.float32) for _ in range(5)]
    labels = rng.integers(0, 4, 60)
    steps = select_ensemble(Library(posteriors, labels, np.array([60]), [1] * 5))

    def accuracy(members):
        mean = np.mean([posteriors[i].astype(np.float64) for i in members], axis=0)
        return (mean.argmax(axis=1) == labels).mean()

    chosen: list[int] = []
    for step in steps:
        best = max(accuracy([*chosen, i]) for i in range(5))
        chosen.append(step.index)
        assert step.accuracy == accuracy(chosen) == best
    assert max(accuracy([*chosen, i]) for i in range(5)) < steps[-1].accuracy + MIN_GAIN
    assert len(steps) < MAX_STEPS


def test_a_gain_that_may_be_noise_adds_no_network():
    half = int(1 / MIN_GAIN)
    first, second = [0.8] * half + [0.2] * half, [0.45] * half + [0.9] + [0.1] * (half - 1)
    assert indices(select_ensemble(from_probabilities(first, second))) == [0]
    second[-2:] = [0.9, 0.9]
    assert indices(select_ensemble(from_probabilities(first, second))) == [0, 1]


def test_the_limit_of_parameters_counts_each_network_once():
    library = make_library("111000", "000111", "110110", num_params=[60, 50, 30])
    for limit in (30, 50, 80, 90, 140):
        chosen = indices(select_ensemble(library, limit))
        assert count_total_params(library, chosen) <= limit
    assert count_total_params(library, [0, 0, 2]) == 90


def test_of_equal_networks_the_smallest_is_chosen():
    assert indices(select_ensemble(make_library("10", "10", num_params=[9, 8]))) == [1]


def test_a_limit_below_every_network_is_an_error():
    library = make_library("10", "11", num_params=[1000, 2000])
    with pytest.raises(
        ConfigError, match=r"^--parameters: must be at least 1,000, .*found 999"
    ):
        select_ensemble(library, 999)


def test_each_half_of_dev_is_classified_by_the_ensemble_of_the_other_half():
    # The first network knows utterances 0 and 2, the second one utterance 1 and 3.
    texts = "1100011000", "0011100111"
    assert estimate_accuracy(make_library(*texts, lengths=[2, 3, 2, 3])) == 0.0
    uneven = make_library(*texts, lengths=[5, 2, 3])
    assert [len(uneven.half(parity).labels) for parity in (0, 1)] == [8, 2]
    assert uneven.half(1).lengths.tolist() == [2]


def test_a_single_utterance_has_no_halves():
    assert estimate_accuracy(make_library("10")) is None


def make_run(name, phones=("SIL", "AA"), labels=(0, 1, 1), lengths=(1, 2), digest="d"):
    labels = None if labels is None else np.array(labels)
    split = SimpleNamespace(labels=labels, lengths=np.array(lengths), num_frames=sum(lengths))
    store = SimpleNamespace(
        name="demo", phones=PhoneSet(phones), splits={"dev": split}, digest=digest
    )
    return SimpleNamespace(
        directory=Path(name),
        config=compose([]),
        store=store,
        require_split=store.splits.__getitem__,
    )


def test_runs_of_the_same_corpus_may_be_combined():
    require_same_task(make_run("b"), make_run("a"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"phones": ("AA", "SIL")},
            r"^b: must have the phones of a, in the same order; found 'AA instead of SIL as "
            r"phone 0'\. Combine only runs with the same labels\.$",
        ),
        ({"phones": ("SIL", "AA", "B")}, r"found '3 phones instead of 2'"),
        (
            {"lengths": (2, 1)},
            r"^b: must have the dev split of a, which has 3 frames of 2 utterances; found '3 ",
        ),
        ({"labels": (0, 1, 0)}, r"found '3 frames of 2 utterances, with other labels'"),
        ({"labels": None}, r"^b dev: must have labels to choose an ensemble by$"),
        ({"digest": "other"}, r"^b: must be trained on the same data as a"),
    ],
)
def test_runs_that_cannot_be_combined_are_named(changes, message):
    with pytest.raises(DataError, match=message) as raised:
        require_same_task(make_run("b", **changes), make_run("a"))
    assert "\n" not in str(raised.value)
