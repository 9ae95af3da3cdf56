"""framesweep best --ensemble."""

import json
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
from click.testing import CliRunner
from optuna.trial import create_trial

from framesweep import catalog
from framesweep.catalog.records import RunRecord
from framesweep.commands import best
from framesweep.commands.common import ensemble_choice
from framesweep.commands.common.prediction_options import WrittenPredictions
from framesweep.errors import ConfigError, TrackingError, UserError
from framesweep.runs.ensembles import library
from framesweep.runs.ensembles.library import Member, Selection


@pytest.fixture
def outputs(tmp_path):
    """An outputs folder with a study of trials 0 to 2, of which 1 has no network any more."""
    url = f"sqlite:///{tmp_path}/studies.db"
    study = optuna.create_study(study_name="s", storage=url, direction="maximize")
    for value in (0.5, 0.9, 0.7):
        study.add_trial(create_trial(value=value))
    for number in (0, 2):
        make_model(tmp_path / "sweeps" / "s" / str(number))
    return tmp_path


def make_model(directory):
    (directory / "model").mkdir(parents=True)
    (directory / "model" / "model.safetensors").touch()
    (directory / "config.yaml").touch()
    return directory


@pytest.fixture
def asked(monkeypatch):
    """What the command asked of `select_runs`; it gets an ensemble of the first two runs."""
    calls = []

    def select(directories, overrides, max_params, scratch, report):
        calls.append(SimpleNamespace(**locals()))
        members = [
            Member(directory=path, weight=weight, num_params=100, accuracy=0.5, gain=gain)
            for path, weight, gain in zip(directories, (2, 1), (0.53, 0.07), strict=False)
        ]
        return Selection(
            members=members,
            accuracy=0.6,
            held_out=0.55,
            num_params=200,
            best_alone=0.5,
            num_candidates=len(directories),
        )

    monkeypatch.setattr(library, "select_runs", select)
    return calls


def invoke(outputs, *arguments):
    words = [*arguments, "--outputs", str(outputs)]
    return CliRunner().invoke(best.command, words, catch_exceptions=False)


def test_the_best_trials_that_still_have_a_network_are_candidates(outputs, asked):
    result = invoke(outputs, "s", "--ensemble", "--parameters", "20e6", "--set", "seed=1")
    (call,) = asked
    assert [path.name for path in call.directories] == ["2", "0"]
    assert (call.max_params, call.overrides, call.scratch) == (20e6, ("seed=1",), outputs)
    header, first, second, total, held_out, *_ = result.stdout.splitlines()
    assert header.split() == ["run", "weight", "parameters", "alone", "gain"]
    assert first.split() == ["s/2", "2", "100", "0.5000", "+0.0300"]
    assert second.split() == ["s/0", "1", "100", "0.5000", "+0.0700"]
    assert total == ("dev/accuracy 0.6000 with 200 parameters; the best of 2 alone has 0.5000")
    assert held_out == "chosen on one half of dev, on the other half: 0.5500"
    command = f"framesweep predict s/2 s/2 s/0 --outputs {outputs} --set seed=1"
    assert result.stdout.endswith(f"predict with it:\n  {command}\n")


def test_top_limits_the_trials_of_a_study(outputs, asked):
    invoke(outputs, "s", "--ensemble", "--top", "1")
    assert [path.name for path in asked[0].directories] == ["2"]


def test_studies_and_runs_may_be_combined(outputs, asked):
    make_model(outputs / "runs" / "2026-01-01" / "10-00-00-abcdef")
    invoke(outputs, "s", "10-00-00-abcdef", "s/0", "--ensemble")
    assert [path.name for path in asked[0].directories] == ["2", "0", "10-00-00-abcdef"]


def test_without_names_the_best_runs_are_candidates(outputs, asked, monkeypatch):
    runs = [
        RunRecord(
            id=f"id{n}", run_id="", name="", directory=Path(str(n)), state="finished", start=-n
        )
        for n in range(30)
    ]
    monkeypatch.setattr(catalog, "rank_finished_runs", lambda uri, outputs: runs)
    result = invoke(outputs, "--ensemble")
    assert [path.name for path in asked[0].directories] == [str(n) for n in range(20)]
    assert result.stderr.startswith("finished runs on the data of the newest one, id0 (")
    assert result.stderr.splitlines()[0].endswith("): 30")


def test_a_name_that_is_neither_study_nor_run_is_an_error(outputs, asked):
    with pytest.raises(TrackingError) as raised:
        invoke(outputs, "s", "absent", "--ensemble")
    line = str(raised.value)
    assert line.startswith("ensemble: must be a study or a run; found 'absent'. As a study, ")
    assert "\n" not in line
    with pytest.raises(TrackingError, match=r"elsewhere.db must exist"):
        invoke(outputs, "s", "--ensemble", "--storage", f"sqlite:///{outputs}/elsewhere.db")
    assert asked == []


def test_a_study_without_networks_is_an_error(outputs, asked):
    url = f"sqlite:///{outputs}/studies.db"
    optuna.create_study(study_name="t", storage=url).add_trial(create_trial(value=1.0))
    with pytest.raises(
        TrackingError, match=r"^study t: must have a trial whose trained network"
    ):
        invoke(outputs, "t", "--ensemble")


def test_predictions_are_written_by_the_weighted_ensemble(outputs, asked, monkeypatch):
    calls = []
    monkeypatch.setattr(ensemble_choice, "load_runs", lambda names, *_: names)

    def write(runs, out, **options):
        calls.append((runs, out, options))
        return WrittenPredictions(out, options["split"], 7, ["a note"])

    monkeypatch.setattr(ensemble_choice, "write_predictions", write)
    out = outputs / "e.csv"
    arguments = ["s", "--ensemble", "--out", str(out), "--split", "dev", "--smooth"]
    result = invoke(outputs, *arguments)
    assert result.stdout.splitlines()[-2:] == [f"7 frames of dev written to {out}", "a note"]
    found = json.loads(invoke(outputs, *arguments, "--json").stdout)
    assert found["file"] == str(out)
    assert [one["weight"] for one in found["members"]] == [2, 1]
    assert found["command"].startswith("framesweep predict s/2 s/2 s/0")
    (runs, path, options), _ = calls
    assert [Path(name).name for name in runs] == ["2", "2", "0"]
    assert path == out
    assert options == {"split": "dev", "file_format": "csv", "labels": None, "smooth": True}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--out", "x.csv"),
        ("--parameters", "20e6"),
        ("--split", "dev"),
        ("--format", "kaggle"),
        ("--labels", "id"),
        ("--smooth",),
        ("--set", "seed=1"),
    ],
)
def test_the_options_of_ensembles_require_ensemble(outputs, arguments):
    with pytest.raises(ConfigError, match=f"^{arguments[0]}: requires --ensemble"):
        invoke(outputs, "s", *arguments)


@pytest.mark.parametrize("arguments", [("--seeds", "2"), ("--register", "name")])
def test_options_of_a_single_winner_cannot_be_used_for_an_ensemble(outputs, arguments):
    with pytest.raises(ConfigError, match=f"^{arguments[0]}: cannot be used with --ensemble"):
        invoke(outputs, "s", "--ensemble", *arguments)


@pytest.mark.parametrize(
    "arguments",
    [("--split", "dev"), ("--format", "kaggle"), ("--labels", "id"), ("--smooth",)],
)
def test_what_says_how_predictions_are_written_needs_a_file(outputs, arguments):
    with pytest.raises(ConfigError, match=f"^{arguments[0]}: needs --out"):
        invoke(outputs, "s", "--ensemble", *arguments)


def test_a_storage_needs_the_name_of_a_study(outputs):
    with pytest.raises(ConfigError, match=r"^--storage: needs STUDY"):
        invoke(outputs, "--ensemble", "--storage", "s.journal")


def test_only_an_ensemble_takes_several_studies(outputs):
    with pytest.raises(UserError, match=r"^STUDY: must be a single study without --ensemble"):
        invoke(outputs, "s", "s")
