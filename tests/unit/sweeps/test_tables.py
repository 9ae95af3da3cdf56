"""The table of trials, their ranking, and the best trials as a file."""

import csv

import optuna
import pytest
import yaml

from framesweep.sweeps.tables import (
    build_train_command,
    find_pareto_front,
    get_objective_names,
    rank_trials,
    track_best_value,
    write_best,
    write_table,
)


def test_the_table_has_one_row_per_trial(study, tmp_path):
    write_table(study, tmp_path / "trials.csv")
    with (tmp_path / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == list("012345")
    assert [row["value"] for row in rows] == ["0.4", "0.1", "0.9", "", "0.9", "0.7"]
    assert rows[3]["failure_reason"] == "nan_loss"
    assert rows[4]["duplicate_of"] == "2"
    assert [row["m"] for row in rows] == ["x", "x", "y", "x", "y", "y"]


def test_ranking_omits_repeated_points(study):
    assert [t.number for t in rank_trials(study)] == [2, 5, 0]


def test_the_pareto_front_omits_repeated_points(two_objectives):
    assert [t.number for t in find_pareto_front(two_objectives)] == [0, 1]


def test_the_best_value_never_gets_worse(study):
    assert track_best_value(study) == [0.4, 0.9, 0.9, 0.9]
    losses = optuna.create_study(direction="minimize")
    losses.add_trials(study.trials)
    assert track_best_value(losses) == [0.4, 0.4, 0.4, 0.4]


def test_best_yaml_contains_the_command_that_trains_the_trial_again(
    study, two_objectives, tmp_path
):
    write_best(study, tmp_path, tmp_path / "best.yaml")
    best = yaml.safe_load((tmp_path / "best.yaml").read_text())["best"]
    assert [(b["trial"], b["value"], b["params"]) for b in best] == [
        (2, 0.9, {"a.lr": 0.6, "m": "y"})
    ]
    assert best[0]["command"] == "python train.py a.lr=0.6 'data.root=/with space'"
    assert best[0]["directory"] == str(tmp_path / "2")
    assert build_train_command(study.trials[0]).startswith("python train.py a.lr=0.1")
    write_best(two_objectives, tmp_path, tmp_path / "front.yaml")
    entries = yaml.safe_load((tmp_path / "front.yaml").read_text())["best"]
    assert [(e["trial"], e["value"], e["value_2"]) for e in entries] == [
        (0, 0.5, 10.0),
        (1, 0.8, 30.0),
    ]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_objectives_without_names_are_numbered(study, two_objectives):
    assert get_objective_names(study) == ["value"]
    assert get_objective_names(two_objectives) == ["value", "value_2"]
    two_objectives.set_metric_names(["dev/accuracy", "model/params"])
    assert get_objective_names(two_objectives) == ["dev/accuracy", "model/params"]


def test_a_trial_that_violates_a_constraint_is_never_the_best(study, two_objectives):
    before = rank_trials(study)
    why = {"violated": "model/params<=1: found 2"}
    study.add_trial(optuna.trial.create_trial(value=0.99, user_attrs=why))
    assert rank_trials(study) == before
    assert max(track_best_value(study)) == 0.9
    front = find_pareto_front(two_objectives)
    two_objectives.add_trial(optuna.trial.create_trial(values=[0.4, 5.0], user_attrs=why))
    assert find_pareto_front(two_objectives) == front


def test_the_command_of_a_trial_is_that_of_a_single_run():
    overrides = ["model=wide", "sweep=optuna", "sweep.retries=2", "a.lr=0.1"]
    trial = optuna.trial.create_trial(value=1.0, user_attrs={"overrides": overrides})
    assert build_train_command(trial) == "python train.py model=wide a.lr=0.1"
