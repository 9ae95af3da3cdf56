"""Frame metrics against scikit-learn, which sees the frames one by one, and their registry."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as oracle

from framesweep.data.phones import ARPABET_71, FOLDINGS, PhoneSet
from framesweep.evaluation import metrics
from framesweep.evaluation.metrics import (
    METRICS,
    Evaluation,
    MetricSpec,
    accuracy,
    edge_accuracy,
    folded_accuracy,
    folding_accuracy,
    macro_accuracy,
    phone_error_rate,
    speech_accuracy,
    update_confusion,
)
from framesweep.evaluation.phone_errors import PhonePaths
from unit.evaluation.conftest import NUM_PHONES

PHONES = PhoneSet(tuple("sil a b c d e f sp g i k l".split()))
"""Silence is phone 0 and phone 7."""


def evaluation(confusion: torch.Tensor, phones: PhoneSet | None = None, **counts) -> Evaluation:
    """An evaluation with this confusion matrix, of numbered phones unless given others."""
    values = {"split": "dev", "loss": 1.5, "edge_correct": 3, "num_edges": 4, **counts}
    phones = phones or PhoneSet.numbered(len(confusion))
    return Evaluation(confusion=confusion, phones=phones, **values)


@pytest.fixture(scope="module")
def confusion(frames: tuple[np.ndarray, np.ndarray]) -> torch.Tensor:
    """Counted in batches, the last one smaller."""
    matrix = torch.zeros(NUM_PHONES, NUM_PHONES, dtype=torch.int64)
    labels, predictions = map(torch.from_numpy, frames)
    for part, guess in zip(labels.split(768), predictions.split(768), strict=True):
        update_confusion(matrix, part, guess)
    return matrix


def test_confusion_counts_every_frame_once(frames, confusion):
    expected = oracle.confusion_matrix(*frames, labels=range(NUM_PHONES))
    assert confusion.numpy().tolist() == expected.tolist()


def test_accuracy_is_that_of_scikit_learn(frames, confusion):
    expected = oracle.accuracy_score(*frames)
    assert accuracy(evaluation(confusion)) == pytest.approx(expected, abs=1e-12)


def test_speech_accuracy_leaves_out_frames_that_are_silence(frames, confusion):
    labels, predictions = frames
    speech = ~np.isin(labels, [0, 7])
    expected = oracle.accuracy_score(labels[speech], predictions[speech])
    counted = evaluation(confusion, PHONES)
    assert speech_accuracy(counted) == pytest.approx(expected, abs=1e-12)
    without_silence = evaluation(confusion)
    assert speech_accuracy(without_silence) == accuracy(without_silence)


def test_macro_accuracy_is_the_mean_over_phones_that_occur(frames, confusion):
    expected = oracle.recall_score(*frames, average=None, labels=np.unique(frames[0])).mean()
    assert macro_accuracy(evaluation(confusion)) == pytest.approx(expected, abs=1e-12)


def test_edge_accuracy_needs_frames_at_an_edge(confusion):
    assert edge_accuracy(evaluation(confusion)) == 3 / 4
    assert edge_accuracy(evaluation(confusion, num_edges=0)) is None


def test_without_frames_metrics_are_nan():
    nothing = evaluation(torch.zeros(4, 4, dtype=torch.int64))
    phones = PhoneSet(("sil", "a", "b", "c"))
    only_silence = evaluation(torch.diag(torch.tensor([5, 0, 0, 0])), phones)
    assert math.isnan(accuracy(nothing))
    assert math.isnan(macro_accuracy(nothing))
    assert math.isnan(speech_accuracy(only_silence))


def test_folded_accuracy_merges_classes_and_leaves_out():
    # Phones 0 and 1 are one class, 2 another, 3 is left out.
    confusion = torch.tensor([[5, 2, 1, 1], [1, 4, 0, 0], [2, 0, 6, 3], [9, 9, 9, 9]])
    assert folded_accuracy(confusion, (0, 0, 1, -1)) == (5 + 2 + 1 + 4 + 6) / 25
    assert folded_accuracy(confusion, (0, 1, 2, 3)) == accuracy(evaluation(confusion))
    assert math.isnan(folded_accuracy(confusion, (-1, -1, -1, -1)))


def test_a_folding_is_scored_only_where_it_fits():
    confusion = torch.zeros(71, 71, dtype=torch.int64)
    confusion[ARPABET_71.id("AA0"), ARPABET_71.id("AA1")] = 3
    confusion[ARPABET_71.id("B"), ARPABET_71.id("D")] = 1
    by_name = {folding.name: folding for folding in FOLDINGS}
    counted = evaluation(confusion, ARPABET_71)
    assert folding_accuracy(by_name["unstressed"], counted) == 3 / 4
    assert folding_accuracy(by_name["39"], counted) is None


def test_an_evaluation_gives_the_metrics_that_are_defined(confusion):
    counted = evaluation(confusion, PHONES)
    expected = {
        "dev/loss": 1.5,
        "dev/accuracy": accuracy(counted),
        "dev/speech_accuracy": speech_accuracy(counted),
        "dev/macro_accuracy": macro_accuracy(counted),
        "dev/edge_accuracy": 3 / 4,
    }
    assert counted.metrics().items() >= expected.items()
    undefined = {"dev/phone_error_rate", *(f"dev/accuracy_{one.name}" for one in FOLDINGS)}
    assert undefined.isdisjoint(counted.metrics())
    without_edges = evaluation(confusion, split="test", num_edges=0).metrics()
    assert without_edges["test/accuracy"] == accuracy(counted)
    assert "test/edge_accuracy" not in without_edges


def test_phone_error_rates_are_metrics_where_the_phones_fit():
    phones = PhoneSet(("h#", "pau", "aa", "ao", "q", "t", "tcl"))
    labels = torch.tensor([0, 0, 2, 4, 4, 6, 5, 1])
    predictions = torch.tensor([1, 1, 3, 2, 4, 0, 5, 0])
    paths = PhonePaths.from_frames(labels, predictions, torch.tensor([8]))
    confusion = torch.zeros(7, 7, dtype=torch.int64)
    counted = evaluation(confusion, phones, paths=paths, split="test")
    rates = {k: v for k, v in counted.metrics().items() if "phone_error" in k}
    assert rates == {
        # True h# aa q tcl t h#, found h# ao aa q h# t h#: an insertion and a substitution.
        "test/phone_error_rate": 2 / 6,
        # True sil aa cl t sil, found sil ao aa sil t sil.
        "test/phone_error_rate_48": 2 / 5,
        # Both are sil aa sil t sil.
        "test/phone_error_rate_39": 0.0,
    }
    assert phone_error_rate(evaluation(confusion, phones)) is None


def test_losses_errors_and_the_number_of_parameters_are_minimized_and_accuracies_maximized():
    minimized = {name for name, spec in METRICS.items() if not spec.maximize}
    assert minimized >= {
        *("train/loss", "dev/loss", "model/params", "dev/phone_error_rate"),
        *(f"dev/phone_error_rate_{folding.name}" for folding in FOLDINGS),
    }
    maximized = METRICS.keys() - minimized
    assert maximized >= {name for name in METRICS if "accuracy" in name}
    assert "train/frames_per_second" in maximized
    assert all(spec.name == name for name, spec in METRICS.items())


def test_a_decorated_function_becomes_a_metric(confusion, monkeypatch):
    monkeypatch.setattr(metrics, "METRICS", dict(METRICS))

    @metrics.metric("errors", maximize=False)
    def errors(evaluation: Evaluation) -> float:
        return float(evaluation.confusion.sum() - evaluation.confusion.trace())

    assert metrics.METRICS["dev/errors"] == MetricSpec("dev/errors", False, errors)
    wrong = int(confusion.sum() - confusion.trace())
    assert evaluation(confusion, split="test").metrics()["test/errors"] == wrong


def test_curves_are_of_metrics_that_end_so_or_name_their_panel(monkeypatch):
    monkeypatch.setattr(metrics, "METRICS", dict(METRICS))
    metrics.metric("kappa", panel="accuracy")(accuracy)
    metrics.metric("log_accuracy", panel="loss")(accuracy)
    names = ("dev/kappa", "dev/accuracy", "dev/log_accuracy", "train/accuracy", "dev/loss")
    history = [{"dev/edge_accuracy": 0.0, "learning_rate": 0.0}, dict.fromkeys(names, 0.0)]
    assert metrics.list_curves(history, "loss") == ["dev/loss", "dev/log_accuracy"]
    assert metrics.list_curves(history, "accuracy") == [
        *("train/accuracy", "dev/kappa", "dev/accuracy", "dev/edge_accuracy")
    ]
