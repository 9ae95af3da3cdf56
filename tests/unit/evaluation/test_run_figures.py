"""Figures of a run contain its numbers."""

import math

import pytest

from framesweep.evaluation.run_figures import draw_curves, draw_matrix, matrix_height

HISTORY = [
    {
        "train/loss": 2.0,
        "dev/loss": 1.5,
        "dev/accuracy": 0.5,
        "dev/smoothed_accuracy": math.nan,
    },
    {"train/loss": 1.0, "dev/loss": 1.2, "dev/accuracy": 0.6},
]


def test_curves_have_a_point_for_each_epoch_with_a_value():
    losses = draw_curves(HISTORY, "loss", "Loss", 2)["data"]
    assert [(t["name"], t["x"], t["y"]) for t in losses] == [
        ("train/loss", [1, 2], [2.0, 1.0]),
        ("dev/loss", [1, 2], [1.5, 1.2]),
    ]
    accuracies = draw_curves(HISTORY, "accuracy", "Accuracy", 2)["data"]
    assert {t["name"]: t["x"] for t in accuracies} == {
        "dev/accuracy": [1, 2],
        "dev/smoothed_accuracy": [],
    }
    symbols = [trace["marker"]["symbol"] for trace in accuracies]
    assert symbols == ["circle", "diamond"]  # one point can be told from another


@pytest.mark.parametrize(
    ("epochs", "step"), [(1, 1), (10, 1), (11, 2), (70, 10), (5000, 10**6)]
)
def test_epochs_are_whole_numbers_of_which_few_are_written(epochs, step):
    layout = draw_curves([{"loss": 1.0}] * epochs, "loss", "Loss", 0)["layout"]
    assert layout["xaxis"]["dtick"] == step
    assert layout["shapes"] == []


def test_the_best_epoch_is_marked():
    (line,) = draw_curves(HISTORY, "loss", "Loss", 2)["layout"]["shapes"]
    assert (line["x0"], line["x1"]) == (2, 2)


def test_the_matrix_has_shares_of_the_true_phone_and_counts():
    (heat,) = draw_matrix(["a", "b", "c"], [[3, 1, 0], [0, 2, 0], [0, 0, 0]])["data"]
    assert heat["z"][0] == [math.sqrt(0.75), math.sqrt(0.25), 0]
    assert heat["z"][2] == [0, 0, 0]
    assert heat["customdata"][0] == [[3, 75.0], [1, 25.0], [0, 0.0]]
    assert matrix_height(3) < matrix_height(40) <= matrix_height(500)
