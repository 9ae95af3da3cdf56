"""Phone error rates against a plain dynamic program, on sequences collapsed by itertools."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framesweep.data.phones import FOLDINGS, TIMIT_61, PhoneSet
from framesweep.evaluation.phone_errors import (
    PhonePaths,
    PhoneSequences,
    compute_phone_error_rate,
    fold_phones,
    merge_silences,
)

CLASSES = (0, 1, 2, 0, -1)
"""Phone 3 counts as phone 0, and phone 4 is removed."""


def edit_distance(one, other):
    """Levenshtein's distance, by the textbook's table."""
    table = np.zeros((len(one) + 1, len(other) + 1), dtype=int)
    table[:, 0], table[0, :] = np.arange(len(one) + 1), np.arange(len(other) + 1)
    for i, j in itertools.product(range(len(one)), range(len(other))):
        table[i + 1, j + 1] = min(
            table[i, j + 1] + 1, table[i + 1, j] + 1, table[i, j] + (one[i] != other[j])
        )
    return table[-1, -1]


def collapse(frames, classes):
    """The sequence of classes of one utterance, without removed ones."""
    runs = [key for key, _ in itertools.groupby(classes[frame] for frame in frames)]
    return [key for key in runs if key >= 0]


def from_frames(*arrays):
    """Paths of arrays instead of tensors; labels are int16 in a store."""
    return PhonePaths.from_frames(*map(torch.from_numpy, arrays))


def split(path, lengths):
    return np.split(np.asarray(path), np.cumsum(lengths)[:-1])


@settings(max_examples=200, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_rate_is_that_of_a_plain_dynamic_program(lengths, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, sum(lengths)).astype(np.int16)
    predictions = np.where(rng.random(len(labels)) < 0.6, labels, rng.integers(0, 5))
    true = [collapse(part, CLASSES) for part in split(labels, lengths)]
    predicted = [collapse(part, CLASSES) for part in split(predictions, lengths)]
    edits = sum(map(edit_distance, true, predicted))
    num_phones = sum(map(len, true))
    expected = edits / num_phones if num_phones else np.nan
    paths = from_frames(labels, predictions, np.array(lengths))
    found = compute_phone_error_rate(paths, CLASSES)
    assert found == pytest.approx(expected, nan_ok=True)


def test_utterances_are_compared_one_by_one():
    # The phone at the edge is the same in both, and still two phones.
    labels, lengths = np.array([0, 1, 1, 2]), np.array([2, 2])
    sequences = PhoneSequences.collapse(torch.from_numpy(labels), torch.from_numpy(lengths))
    assert sequences.ids.tolist() == [0, 1, 1, 2]
    paths = from_frames(labels, np.array([0, 0, 1, 2]), lengths)
    assert compute_phone_error_rate(paths, range(3)) == 1 / 4


def test_a_rate_may_exceed_1_and_is_nan_without_phones():
    one = from_frames(np.zeros(4, int), np.array([1, 2, 1, 2]), np.array([4]))
    assert compute_phone_error_rate(one, range(3)) == 4
    assert np.isnan(compute_phone_error_rate(one, (-1, 1, 2)))


def test_all_silences_are_one_phone():
    phones = PhoneSet(("aa", "sil", "b", "sp", "[NSN]"))
    assert merge_silences(phones) == (0, 1, 2, 1, 1)
    assert merge_silences(PhoneSet(("aa", "b"))) == (0, 1)


def test_timit_is_scored_in_39_classes_without_the_glottal_stop():
    phones = PhoneSet(tuple(TIMIT_61.split()))
    folding = next(folding for folding in FOLDINGS if folding.name == "39")
    classes = fold_phones(phones, folding)
    assert len(set(classes) - {-1}) == 39
    assert [name for name, i in zip(phones.names, classes, strict=True) if i < 0] == ["q"]

    def encode(text):
        return np.array([phones.id(name) for name in text.split()])

    labels = encode("h# h# q pcl p ix ix n bcl epi h#")
    same = encode("pau h# q tcl p ih ih en h# h# h#")
    paths = from_frames(labels, same, np.array([11]))
    assert compute_phone_error_rate(paths, classes) == 0
    # sil sil p ih n sil: q separates the two silences.
    assert len(paths.true.fold(classes).ids) == 6
    # Unfolded, pcl, ix and n are replaced, and bcl is missing, of 8 phones.
    assert compute_phone_error_rate(paths, merge_silences(phones)) == 4 / 8
