"""Metrics against scikit-learn, which sees the frames one by one."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as oracle

from framesweep.evaluation.metrics import (
    accuracy,
    confusion_update,
    folded_accuracy,
    macro_accuracy,
    phone_scores,
    speech_accuracy,
    top_confusions,
)

NUM_PHONES = 12


@pytest.fixture(scope="module")
def frames() -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions; phone 3 never occurs, phone 5 is never predicted."""
    rng = np.random.default_rng(0)
    labels = rng.choice([i for i in range(NUM_PHONES) if i != 3], size=5000)
    noise = rng.integers(0, NUM_PHONES, size=5000)
    predictions = np.where(rng.random(5000) < 0.6, labels, noise)
    predictions[predictions == 5] = 0
    return labels, predictions


@pytest.fixture(scope="module")
def confusion(frames: tuple[np.ndarray, np.ndarray]) -> torch.Tensor:
    """Counted in batches, the last one smaller."""
    matrix = torch.zeros(NUM_PHONES, NUM_PHONES, dtype=torch.int64)
    labels, predictions = map(torch.from_numpy, frames)
    for part, guess in zip(labels.split(768), predictions.split(768), strict=True):
        confusion_update(matrix, part, guess)
    return matrix


def test_confusion_counts_every_frame_once(frames, confusion):
    expected = oracle.confusion_matrix(*frames, labels=range(NUM_PHONES))
    assert confusion.numpy().tolist() == expected.tolist()


def test_accuracy(frames, confusion):
    assert accuracy(confusion) == pytest.approx(oracle.accuracy_score(*frames), abs=1e-12)


def test_speech_accuracy_leaves_out_frames_that_are_silence(frames, confusion):
    labels, predictions = frames
    speech = ~np.isin(labels, [0, 7])
    expected = oracle.accuracy_score(labels[speech], predictions[speech])
    assert speech_accuracy(confusion, (0, 7)) == pytest.approx(expected, abs=1e-12)
    assert speech_accuracy(confusion, ()) == accuracy(confusion)


def test_macro_accuracy_is_the_mean_over_phones_that_occur(frames, confusion):
    expected = oracle.recall_score(*frames, average=None, labels=np.unique(frames[0])).mean()
    assert macro_accuracy(confusion) == pytest.approx(expected, abs=1e-12)


def test_phone_scores(frames, confusion):
    scores = phone_scores(confusion)
    expected = oracle.precision_recall_fscore_support(
        *frames, labels=range(NUM_PHONES), zero_division=0
    )
    for ours, theirs in zip(
        (scores.precision, scores.recall, scores.f1, scores.support), expected, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_top_confusions_are_sorted_and_leave_out_hits(frames, confusion):
    labels, predictions = frames
    top = top_confusions(confusion, 5)
    assert [c.count for c in top] == sorted((c.count for c in top), reverse=True)
    for one in top:
        assert one.true != one.predicted
        assert one.count == np.sum((labels == one.true) & (predictions == one.predicted))
        assert one.share == pytest.approx(one.count / np.sum(labels == one.true))


def test_top_confusions_end_where_there_are_no_more():
    assert top_confusions(torch.tensor([[3, 1], [0, 2]]), 10)[0].count == 1
    assert len(top_confusions(torch.tensor([[3, 1], [0, 2]]), 10)) == 1
    assert top_confusions(torch.diag(torch.tensor([3, 2])), 10) == []


def test_no_frames_give_nan_not_an_error():
    nothing = torch.zeros(4, 4, dtype=torch.int64)
    only_silence = torch.diag(torch.tensor([5, 0, 0, 0]))
    assert math.isnan(accuracy(nothing))
    assert math.isnan(macro_accuracy(nothing))
    assert math.isnan(speech_accuracy(only_silence, (0,)))
    assert phone_scores(nothing).f1.tolist() == [0.0] * 4


def test_folded_accuracy_merges_classes_and_leaves_out():
    # Phones 0 and 1 are one class, 2 another, 3 is left out.
    confusion = torch.tensor([[5, 2, 1, 1], [1, 4, 0, 0], [2, 0, 6, 3], [9, 9, 9, 9]])
    assert folded_accuracy(confusion, (0, 0, 1, -1)) == (5 + 2 + 1 + 4 + 6) / 25
    assert folded_accuracy(confusion, (0, 1, 2, 3)) == accuracy(confusion)
    assert math.isnan(folded_accuracy(confusion, (-1, -1, -1, -1)))
