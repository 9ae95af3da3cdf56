"""The gains of an ablation study, as numbers, table and plot."""

import csv
import math
from typing import Any

import optuna
import pytest

from framesweep.sweeps.ablation import measure_gains, write_ablation


def make_study(group="ablation", **values):
    study = optuna.create_study(direction="maximize")
    distribution = optuna.distributions.CategoricalDistribution(list(values))
    for ablation, found in values.items():
        for value in found:
            study.add_trial(
                optuna.trial.create_trial(
                    params={group: ablation}, distributions={group: distribution}, value=value
                )
            )
    repeated: dict[str, Any] = {
        "params": {group: "none"},
        "distributions": {group: distribution},
    }
    if values.get("none"):
        study.add_trial(
            optuna.trial.create_trial(
                **repeated, value=values["none"][0], user_attrs={"duplicate_of": 0}
            )
        )
    return study


def test_gains_and_standard_errors_relative_to_the_baseline():
    gains = measure_gains(make_study(none=[0.5, 0.6], worse=[0.4, 0.4], better=[0.7, 0.9]))
    assert [gain.ablation for gain in gains] == ["better", "none", "worse"]
    assert [gain.gain for gain in gains] == pytest.approx([0.25, 0, -0.15])
    # Variances 0.02 and 0.005 over two seeds each.
    assert gains[0].error == pytest.approx(math.sqrt(0.02 / 2 + 0.005 / 2))
    assert gains[1].error == 0
    assert gains[0].deviation == pytest.approx(math.sqrt(0.02))


def test_studies_of_the_earlier_name_are_read():
    values = {"none": [0.5, 0.6], "better": [0.7, 0.9]}
    assert measure_gains(make_study("lever", **values)) == measure_gains(make_study(**values))


def test_the_table_and_the_plot_are_written(tmp_path):
    paths = write_ablation(make_study(none=[0.5], ema=[0.52]), tmp_path)
    assert [path.name for path in paths] == ["ablation.csv", "ablation.png"]
    with paths[0].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["ablation"], row["value"], row["gain"]) for row in rows] == [
        ("ema", "0.52000", "0.02000"),
        ("none", "0.50000", "0.00000"),
    ]
    assert paths[1].read_bytes().startswith(b"\x89PNG")


def test_other_studies_have_no_ablation(tmp_path):
    assert write_ablation(make_study(ema=[0.5]), tmp_path) == []
    assert write_ablation(optuna.create_study(), tmp_path) == []
    assert list(tmp_path.iterdir()) == []
