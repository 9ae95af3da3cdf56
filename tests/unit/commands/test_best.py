import json
from typing import Any

import optuna
import pytest
from click.testing import CliRunner
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import TrialState, create_trial

from framesweep import tracking
from framesweep.commands.best import _describe_trial, command
from framesweep.errors import ConfigError, TrackingError
from framesweep.runs import reruns
from framesweep.sweeps.context import PARENT_ATTR


@pytest.fixture
def best(tmp_path):
    """Calls `framesweep best` on a study of two objectives, one point of it repeated."""
    url = f"sqlite:///{tmp_path}/studies.db"
    study = optuna.create_study(study_name="p", storage=url, directions=["maximize"] * 2)
    for values, attrs in (([1.0, 2.0], {}), ([1.0, 2.0], {"duplicate_of": 0})):
        study.add_trial(create_trial(values=values, user_attrs=attrs))

    def call(*options):
        return CliRunner().invoke(command, ["p", "--outputs", str(tmp_path), *options])

    return call


def test_a_front_has_each_point_once(best):
    result = best()
    assert result.exit_code == 0
    assert [line.split()[1] for line in result.output.splitlines()[1:-1]] == ["0"]


def test_a_front_without_a_completed_trial_is_an_error(tmp_path):
    url = f"sqlite:///{tmp_path}/studies.db"
    optuna.create_study(study_name="empty", storage=url, directions=["maximize"] * 2)
    with pytest.raises(TrackingError, match=r"^study empty: must have a completed trial"):
        CliRunner().invoke(
            command, ["empty", "--outputs", str(tmp_path)], catch_exceptions=False
        )


@pytest.mark.parametrize(
    ("option", "value"), [("--top", 1), ("--top", 3), ("--seeds", 2), ("--register", "x")]
)
def test_a_front_has_no_order_to_take_leaders_by(best, option, value):
    error = best(option, str(value)).exception
    assert isinstance(error, ConfigError)
    assert str(error).startswith(
        f"{option}: requires a study with a single objective; found {value!r}"
    )


@pytest.fixture
def ranked(tmp_path, monkeypatch):
    """Calls `framesweep best` on a study of one objective with two trials.

    What would be registered is in `calls`.
    """
    calls = []

    def register(*arguments):
        calls.append(arguments)
        return "3"

    monkeypatch.setattr(tracking, "register_winner", register)
    url = f"sqlite:///{tmp_path}/studies.db"
    study = optuna.create_study(study_name="s", storage=url, direction="maximize")
    for number, value in enumerate((0.5, 0.9)):
        study.add_trial(create_trial(value=value))
        (tmp_path / "sweeps" / "s" / str(number)).mkdir(parents=True)

    def call(*options):
        return CliRunner().invoke(command, ["s", "--outputs", str(tmp_path), *options])

    return call, calls, study


def test_the_winner_is_registered_on_request(ranked, tmp_path):
    call, calls, study = ranked
    study.set_user_attr(PARENT_ATTR, "parent")
    result = call("--register", "phones")
    assert (
        "trial 1 is registered as models:/phones/3, and as models:/phones@best" in result.output
    )
    assert calls == [(None, tmp_path, "parent", tmp_path / "sweeps" / "s" / "1", "phones")]
    call()
    assert len(calls) == 1
    (tmp_path / "sweeps" / "s" / "1").rmdir()
    assert "the folder of this run is gone" in str(call("--register", "phones").exception)
    assert len(calls) == 1


def test_the_winner_of_a_study_without_a_parent_cannot_be_registered(ranked, tmp_path):
    call, calls, _ = ranked
    error = call("--register", "phones", "--seeds", "2").exception
    assert isinstance(error, TrackingError)
    assert "must be tracked for its winner to be registered" in str(error)
    assert f"type framesweep sync --outputs {tmp_path} first" in str(error)
    assert calls == []


def test_a_bad_name_is_refused_before_anything_is_trained(ranked):
    call, calls, study = ranked
    study.set_user_attr(PARENT_ATTR, "parent")
    error = call("--register", "a/b", "--seeds", "2").exception
    assert isinstance(error, ConfigError)
    assert str(error).startswith("--register: must be a name")
    assert calls == []


def test_without_a_study_all_studies_are_listed(tmp_path):
    url = f"sqlite:///{tmp_path}/studies.db"
    for name in ("first", "second"):
        study = optuna.create_study(study_name=name, storage=url, direction="maximize")
        study.add_trial(create_trial(value=0.5))
    result = CliRunner().invoke(command, ["--outputs", str(tmp_path)], catch_exceptions=False)
    header, *rows = result.stdout.splitlines()
    assert header.split() == ["started", "trials", "best", "study"]
    assert [row.split()[-3:] for row in rows] == [
        ["1", "0.5000", "second"],
        ["1", "0.5000", "first"],
    ]


def test_the_best_value_of_a_listed_study_satisfies_its_constraints(tmp_path):
    url = f"sqlite:///{tmp_path}/studies.db"
    violated = create_trial(value=0.9, user_attrs={"violated": "size<=1: found 2"})
    rejected = create_trial(state=TrialState.PRUNED, user_attrs={"pruned_by": "constraints"})
    for name, trials in {
        "none": [violated],
        "one": [violated, create_trial(value=0.5)],
    }.items():
        study = optuna.create_study(study_name=name, storage=url, direction="maximize")
        study.add_trials(trials)
        study.add_trial(rejected)
        study.set_user_attr("fixed_overrides", {"hydra.sweeper.constraints": "size<=1"})
    arguments = ["--json", "--outputs", str(tmp_path)]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    found = json.loads(result.stdout)
    best = {study["name"]: (study["num_trials"], study["best_value"]) for study in found}
    assert best == {"none": (1, None), "one": (2, 0.5)}


def test_rejected_points_are_not_counted_as_pruned(tmp_path):
    url = f"sqlite:///{tmp_path}/studies.db"
    study = optuna.create_study(study_name="s", storage=url, direction="maximize")
    by_constraints = {"pruned_by": "constraints"}
    study.add_trial(create_trial(value=0.5, user_attrs={"overrides": ["a=1"]}))
    study.add_trial(create_trial(state=TrialState.PRUNED))
    for _ in range(2):
        study.add_trial(create_trial(state=TrialState.PRUNED, user_attrs=by_constraints))
    arguments = ["s", "--json", "--outputs", str(tmp_path)]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    counts = "1 complete, 1 pruned, 0 failed, 2 rejected by constraints"
    assert result.stderr.splitlines()[0] == f"study s: {counts}"
    found = json.loads(result.stdout)["counts"]
    assert found == {"complete": 1, "pruned": 1, "failed": 0, "rejected": 2}


@pytest.mark.parametrize("option", ["--top", "--seeds", "--register"])
def test_options_of_a_study_need_one(option):
    with pytest.raises(ConfigError, match=f"^{option}: needs STUDY"):
        CliRunner().invoke(command, [option, "3"], catch_exceptions=False)


def test_json_has_the_trials_and_the_command_of_each(tmp_path):
    url = f"sqlite:///{tmp_path}/studies.db"
    study = optuna.create_study(study_name="s", storage=url, direction="maximize")
    study.add_trial(create_trial(value=0.5, user_attrs={"overrides": ["a=1"]}))
    arguments = ["s", "--json", "--outputs", str(tmp_path)]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    found = json.loads(result.stdout)
    assert found["counts"] == {"complete": 1, "pruned": 0, "failed": 0, "rejected": 0}
    assert found["best"] == 0
    assert found["trials"][0]["values"] == [0.5]
    assert found["trials"][0]["command"].endswith(" a=1")
    assert found["seeds"] is None
    assert found["registered"] is None
    assert "study s: 1 complete" in result.stderr


def test_json_has_the_means_of_the_seeds_and_the_registered_version(ranked, monkeypatch):
    call, _, study = ranked
    study.set_user_attr(PARENT_ATTR, "parent")
    monkeypatch.setattr(reruns.SeedRuns, "measure", lambda _, number, *__: [0.9 - number])
    found = json.loads(call("--json", "--seeds", "1", "--register", "phones").stdout)
    assert found["best"] == 0
    mean = found["seeds"]["means"][0]
    assert mean == {"trial": 1, "mean": pytest.approx(-0.1), "half_width": None}
    assert not found["seeds"]["differences"][0]["is_significant"]
    assert found["registered"] == {"name": "phones", "version": "3"}


def test_the_params_of_a_trial_are_short_and_broken_at_the_width_of_a_terminal():
    params: dict[str, Any] = {
        "optim.lr": 0.0123456789,
        "model.widths": "[512,512]",
        "train.epochs": 5,
    }
    spaces: dict[str, BaseDistribution] = {
        key: CategoricalDistribution([value]) for key, value in params.items()
    }
    trial = create_trial(value=0.51234567, params=params, distributions=spaces)
    trial.number = 3
    line = "  trial 3    0.512346  optim.lr=0.01235 model.widths=[512,512] train.epochs=5"
    assert _describe_trial(trial, None) == line
    first, second = _describe_trial(trial, 64).splitlines()
    assert [first, second] == [line[:62].rstrip(), " " * 12 + "train.epochs=5"]
