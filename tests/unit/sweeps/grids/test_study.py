"""The results of a grid as a study of Optuna."""

import contextlib
import math
import sqlite3

import optuna
import pytest
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from framesweep.sweeps.context import PARENT_ATTR
from framesweep.sweeps.grids.study import (
    GRID_ATTR,
    build_grid_study,
    choose_distribution,
    is_kept,
)


def stored(tmp_path):
    return f"sqlite:///{tmp_path}/outputs/studies.db"


def test_trials_are_the_jobs_under_their_numbers(make_grid, point, tmp_path):
    points = [point(0, 5, 0.5), point(2, 15, 0.7), point(3, 9, failure="no memory")]
    study = build_grid_study(make_grid(), points, "parent")
    states = [trial.state for trial in study.trials]
    complete, fail = TrialState.COMPLETE, TrialState.FAIL
    assert states == [complete, fail, complete, fail]
    assert study.best_trial.number == 2
    assert study.best_trial.params == {"data.context": 15, "model": "wide"}
    assert study.best_trial.user_attrs["overrides"] == list(points[1].overrides)
    assert study.best_trial.duration.total_seconds() == 7
    messages = [trial.user_attrs.get("failure_message") for trial in study.trials]
    assert messages == [None, "the job ended without a result", None, "no memory"]
    assert study.metric_names == ["dev/accuracy"]


def test_it_is_kept_under_the_name_of_its_directory(make_grid, point, tmp_path):
    study = build_grid_study(make_grid(), [point(0, 5, 0.5)], "parent")
    assert is_kept(study)
    loaded = optuna.load_study(study_name="g", storage=stored(tmp_path))
    assert loaded.best_value == 0.5
    assert loaded.user_attrs[PARENT_ATTR] == "parent"


def test_a_grid_outside_of_the_outputs_is_not_kept(make_grid, point, tmp_path):
    study = build_grid_study(make_grid(folder="elsewhere"), [point(0, 5, 0.5)], None)
    assert not is_kept(study)
    assert study.best_value == 0.5
    assert not (tmp_path / "outputs" / "studies.db").exists()


def test_a_grid_replaces_an_earlier_one_in_its_directory(make_grid, point, tmp_path):
    build_grid_study(make_grid(), [point(0, 5, 0.5), point(1, 9, 0.6)], None)
    build_grid_study(make_grid(), [point(0, 15, 0.4)], None)
    (trial,) = optuna.load_study(study_name="g", storage=stored(tmp_path)).trials
    assert trial.value == 0.4


def test_a_search_is_never_replaced(make_grid, point, tmp_path, caplog):
    grid = make_grid()
    optuna.create_study(study_name="g", storage=stored(tmp_path))
    study = build_grid_study(grid, [point(0, 5, 0.5)], None)
    assert not is_kept(study)
    assert "could not be added to studies.db" in caplog.text
    loaded = optuna.load_study(study_name="g", storage=stored(tmp_path))
    assert GRID_ATTR not in loaded.user_attrs
    assert loaded.trials == []


def test_a_damaged_database_costs_the_study_only(make_grid, point, tmp_path, caplog):
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "studies.db").write_text("no database " * 1000)
    study = build_grid_study(make_grid(), [point(0, 5, 0.5)], None)
    assert study.best_value == 0.5
    assert "could not be added to studies.db" in caplog.text


def test_a_database_of_an_earlier_optuna_costs_the_study_only(
    make_grid, point, tmp_path, caplog
):
    build_grid_study(make_grid(), [point(0, 5, 0.5)], None)
    with contextlib.closing(sqlite3.connect(stored(tmp_path)[10:])) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v3.0.0.a'")
    study = build_grid_study(make_grid(), [point(0, 5, 0.6)], None)
    assert study.best_value == 0.6
    assert f"optuna storage upgrade --storage {stored(tmp_path)}" in caplog.text


def test_directions_are_those_of_the_objectives(make_grid, point):
    grid = make_grid("objective=dev/loss", "further_objectives=[dev/accuracy]")
    study = build_grid_study(grid, [point(0, 5, 0.5, 0.1), point(1, 9, 0.4)], None)
    assert [direction.name for direction in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL"]


def test_learning_curves_are_read_from_the_reports(make_grid, point):
    grid = make_grid()
    report = grid.directory / "0" / "report"
    report.mkdir(parents=True)
    (report / "history.csv").write_text("epoch,dev/accuracy,is_best\n1,0.3,0\n2,0.5,1\n")
    study = build_grid_study(grid, [point(0, 5, 0.5)], None)
    assert study.trials[0].intermediate_values == {1: 0.3, 2: 0.5}


@pytest.mark.parametrize(
    ("values", "distribution"),
    [
        ([5, 15, 9], IntDistribution(5, 15)),
        ([1, 1000], IntDistribution(1, 1000, log=True)),
        ([0.1, 1], FloatDistribution(0.1, 1)),
        ([1e-4, 1e-1], FloatDistribution(1e-4, 1e-1, log=True)),
        (["a", "b", "a"], CategoricalDistribution(["a", "b"])),
        ([True, False], CategoricalDistribution([True, False])),
        ([None, 3], CategoricalDistribution([None, 3])),
        ([1.0, math.inf], CategoricalDistribution([1.0, math.inf])),
        ([], CategoricalDistribution([None])),
    ],
)
def test_numbers_have_an_interval_and_anything_else_a_choice(values, distribution):
    assert choose_distribution(values) == distribution
