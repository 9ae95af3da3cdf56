import csv

import optuna
import pytest
import yaml
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from framesweep.errors import TrackingError
from framesweep.sweeps.plots import write_plots
from framesweep.sweeps.studies import get_trial_directory, load_study, select_best_trials
from framesweep.sweeps.tables import (
    build_train_command,
    find_pareto_front,
    rank_trials,
    track_best_value,
    write_best,
    write_table,
)

SPACE = {"a.lr": FloatDistribution(0, 1), "m": CategoricalDistribution(["x", "y"])}


def trial(state, values, lr, **attrs):
    return create_trial(
        state=state,
        values=values,
        params={"a.lr": lr, "m": "x" if lr < 0.5 else "y"},
        distributions=SPACE,
        user_attrs={"overrides": [f"a.lr={lr}", "data.root=/with space"], **attrs},
        intermediate_values={1: lr, 2: lr / 2},
    )


TRIALS = (
    trial(TrialState.COMPLETE, [0.4], 0.1, attempts=1),
    trial(TrialState.PRUNED, [0.1], 0.2),
    trial(TrialState.COMPLETE, [0.9], 0.6),
    trial(TrialState.FAIL, None, 0.3, failure_reason="nan_loss", attempts=2),
    trial(TrialState.COMPLETE, [0.9], 0.6, duplicate_of=2),
    trial(TrialState.COMPLETE, [0.7], 0.8),
)


@pytest.fixture
def study(tmp_path):
    url = f"sqlite:///{tmp_path}/studies.db"
    study = optuna.create_study(study_name="s", storage=url, direction="maximize")
    study.add_trials(TRIALS)
    return study


@pytest.fixture
def front():
    study = optuna.create_study(study_name="p", directions=["maximize", "minimize"])
    pairs = ([0.5, 10.0], [0.8, 30.0], [0.7, 40.0])
    study.add_trials(trial(TrialState.COMPLETE, v, i / 10) for i, v in enumerate(pairs))
    study.add_trial(trial(TrialState.COMPLETE, [0.8, 30.0], 0.1, duplicate_of=1))
    return study


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
    assert [t.number for t in select_best_trials(study, 2)] == [2, 5]


def test_the_pareto_front_omits_repeated_points(front):
    assert [t.number for t in find_pareto_front(front)] == [0, 1]


def test_the_best_value_never_gets_worse(study):
    assert track_best_value(study) == [0.4, 0.9, 0.9, 0.9]
    losses = optuna.create_study(direction="minimize")
    losses.add_trials(TRIALS)
    assert track_best_value(losses) == [0.4, 0.4, 0.4, 0.4]


def test_best_yaml_contains_the_command_that_trains_the_trial_again(study, front, tmp_path):
    write_best(study, tmp_path, tmp_path / "best.yaml")
    best = yaml.safe_load((tmp_path / "best.yaml").read_text())["best"]
    assert [(b["trial"], b["value"], b["params"]) for b in best] == [
        (2, 0.9, {"a.lr": 0.6, "m": "y"})
    ]
    assert best[0]["command"] == "python train.py a.lr=0.6 'data.root=/with space'"
    assert best[0]["directory"] == str(tmp_path / "2")
    assert build_train_command(study.trials[0]).startswith("python train.py a.lr=0.1")
    write_best(front, tmp_path, tmp_path / "front.yaml")
    entries = yaml.safe_load((tmp_path / "front.yaml").read_text())["best"]
    assert [(e["trial"], e["value"], e["value_2"]) for e in entries] == [
        (0, 0.5, 10.0),
        (1, 0.8, 30.0),
    ]


def test_a_study_of_one_objective_has_all_its_plots(study, tmp_path):
    names = {path.name for path in write_plots(study, tmp_path)}
    assert names == {
        f"{name}.png"
        for name in (
            "history",
            "importances",
            "parallel",
            "slice",
            "contour",
            "intermediate_values",
            "timeline",
        )
    }
    assert all(path.stat().st_size > 5000 for path in tmp_path.glob("*.png"))


def test_a_study_of_two_objectives_and_an_empty_one_have_theirs(front, tmp_path):
    names = {path.name for path in write_plots(front, tmp_path / "two")}
    assert {"pareto_front.png", "history_1.png", "history_2.png", "slice_2.png"} <= names
    assert "intermediate_values.png" not in names
    empty = optuna.create_study()
    for path in write_plots(empty, tmp_path / "none"):
        assert path.stat().st_size > 0


def test_studies_and_trial_directories_are_found(study, tmp_path):
    found = load_study("s", None, tmp_path)
    assert len(found.trials) == len(TRIALS)
    assert (
        get_trial_directory(found, found.trials[2], tmp_path) == tmp_path / "sweeps" / "s" / "2"
    )
    with pytest.raises(TrackingError, match="There are: s"):
        load_study("t", None, tmp_path)
    with pytest.raises(TrackingError, match="must exist"):
        load_study("s", None, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(TrackingError, match="completed"):
        select_best_trials(optuna.create_study(), 1)
