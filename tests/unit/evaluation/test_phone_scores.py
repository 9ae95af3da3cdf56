"""Per-phone scores against scikit-learn, and the list of confusions."""

import numpy as np
import pytest
import torch
from sklearn import metrics as oracle

from framesweep.evaluation.phone_scores import find_top_confusions, score_phones
from unit.evaluation.conftest import NUM_PHONES


@pytest.fixture(scope="module")
def confusion(frames: tuple[np.ndarray, np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(oracle.confusion_matrix(*frames, labels=range(NUM_PHONES)))


def test_phone_scores_are_those_of_scikit_learn(frames, confusion):
    scores = score_phones(confusion)
    expected = oracle.precision_recall_fscore_support(
        *frames, labels=range(NUM_PHONES), zero_division=0
    )
    for ours, theirs in zip(
        (scores.precision, scores.recall, scores.f1, scores.support), expected, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_top_confusions_are_sorted_and_leave_out_hits(frames, confusion):
    labels, predictions = frames
    top = find_top_confusions(confusion, 5)
    assert [c.count for c in top] == sorted((c.count for c in top), reverse=True)
    for one in top:
        assert one.true != one.predicted
        assert one.count == np.sum((labels == one.true) & (predictions == one.predicted))
        assert one.share == pytest.approx(one.count / np.sum(labels == one.true))


def test_top_confusions_end_where_there_are_no_more():
    assert find_top_confusions(torch.tensor([[3, 1], [0, 2]]), 10)[0].count == 1
    assert len(find_top_confusions(torch.tensor([[3, 1], [0, 2]]), 10)) == 1
    assert find_top_confusions(torch.diag(torch.tensor([3, 2])), 10) == []


def test_scores_of_a_phone_without_frames_are_zero():
    nothing = torch.zeros(4, 4, dtype=torch.int64)
    assert score_phones(nothing).f1.tolist() == [0.0] * 4
