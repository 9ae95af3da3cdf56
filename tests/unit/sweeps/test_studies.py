"""Studies are found by name, and what is not a study is a one-line error."""

import contextlib
import sqlite3
from pathlib import Path

import optuna
import pytest
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState, create_trial

from framesweep.errors import TrackingError
from framesweep.sweeps.studies import (
    describe_changes,
    get_trial_directory,
    load_study,
    read_storage,
    select_best_trials,
)
from hydra_plugins.framesweep_sweeper.search._study_identity import list_extended


@pytest.fixture
def outputs(tmp_path):
    optuna.create_study(study_name="one", storage=f"sqlite:///{tmp_path / 'studies.db'}")
    return tmp_path


def test_a_study_is_loaded_by_its_name(outputs):
    assert load_study("one", None, outputs).study_name == "one"
    with pytest.raises(TrackingError, match=r"found 'two'. Its studies are: one\."):
        load_study("two", None, outputs)


def test_trials_that_differ_only_in_their_seed_are_one_point():
    study = optuna.create_study(direction="maximize")
    spaces: dict[str, BaseDistribution] = {
        "seed": IntDistribution(0, 9),
        "depth": IntDistribution(1, 9),
    }
    for value, seed, depth in [(0.7, 0, 2), (0.9, 0, 3), (0.8, 1, 3), (0.6, 1, 2)]:
        params = {"seed": seed, "depth": depth}
        study.add_trial(create_trial(value=value, params=params, distributions=spaces))
    assert [trial.number for trial in select_best_trials(study, 3)] == [1, 2, 0]
    found = select_best_trials(study, 3, ignore_seed=True)
    assert [trial.number for trial in found] == [1, 0]


def test_a_study_is_loaded_by_the_folder_of_its_sweep(outputs, tmp_path):
    folder = outputs / "sweeps" / "one"
    folder.mkdir(parents=True)
    (folder / "multirun.yaml").touch()
    for name in (str(folder), f"{folder}/"):
        assert load_study(name, None, tmp_path / "elsewhere").study_name == "one"


@pytest.mark.parametrize("storage", ["{}/studies.db", "nothing://x", "{}/text", "sqlite:///{}"])
def test_an_invalid_storage_is_a_one_line_error(outputs, storage):
    (outputs / "text").write_text("no database")
    with pytest.raises(TrackingError) as caught:
        load_study("one", storage.format(outputs), outputs)
    assert "must be a storage of Optuna studies (" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_a_database_is_refused(outputs):
    (outputs / "studies.db").write_text("no database " * 100)
    with pytest.raises(TrackingError, match="must be a storage of Optuna studies"):
        load_study("one", None, outputs)


def test_a_study_of_an_earlier_optuna_is_refused_with_the_command_that_upgrades_it(outputs):
    with contextlib.closing(sqlite3.connect(outputs / "studies.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v3.0.0.a'")
    with pytest.raises(TrackingError) as caught:
        load_study("one", None, outputs)
    assert f"`optuna storage upgrade --storage sqlite:///{outputs}/studies.db`" in str(
        caught.value
    )
    assert "\n" not in str(caught.value)


def test_a_missing_storage_is_an_error(tmp_path):
    with pytest.raises(TrackingError, match=r"studies\.db: must exist. Has any search"):
        load_study("one", None, tmp_path)


def test_credentials_that_a_printed_command_hides_are_asked_for(tmp_path):
    with pytest.raises(TrackingError, match=r"--storage: must contain .* Replace \*\*\* by"):
        load_study("one", "postgresql+psycopg://***@db/studies", tmp_path)


@pytest.mark.parametrize(
    ("storage", "found"),
    [
        ("{}/s.journal", "{}/s.journal"),
        ("s.journal", "{}/s.journal"),
        ("sqlite:///s.db", None),
        ("mysql+pymysql://db/studies", "mysql+pymysql://db/studies"),
        ("mysql+pymysql://***@db/studies", None),
        ("${{unknown:}}", None),
        ("null", None),
    ],
)
def test_the_folder_of_a_search_says_where_its_study_is(tmp_path, storage, found):
    assert read_storage(tmp_path) is None
    (tmp_path / "s.journal").touch()
    (tmp_path / "multirun.yaml").write_text(
        f"hydra:\n  sweeper:\n    storage: {storage.format(tmp_path)}\n"
        f"  runtime:\n    cwd: {tmp_path}\n"
    )
    assert read_storage(tmp_path) == (found and found.format(tmp_path))


def test_the_best_trials_come_first(study):
    assert [trial.number for trial in select_best_trials(study, 2)] == [2, 5]
    with pytest.raises(TrackingError, match="must have a completed trial"):
        select_best_trials(optuna.create_study(), 1)


def test_a_study_without_a_best_trial_says_how_its_trials_ended():
    study = optuna.create_study(study_name="s")
    study.add_trial(create_trial(state=TrialState.PRUNED))
    study.add_trial(create_trial(state=TrialState.FAIL))
    with pytest.raises(TrackingError) as none:
        select_best_trials(study, 1)
    counts = "found 0 complete, 1 pruned, 1 failed. Run more trials."
    assert str(none.value) == f"study s: must have a completed trial; {counts}"

    study.add_trial(create_trial(value=0.5, user_attrs={"violated": "size<=1: found 2"}))
    with pytest.raises(TrackingError) as violated:
        select_best_trials(study, 1)
    rule = "must have a completed trial that satisfies hydra.sweeper.constraints"
    counts = "found 1 complete, 1 pruned, 1 failed. Widen the bounds, and run more trials."
    assert str(violated.value) == f"study s: {rule}; {counts}"


def test_the_directory_of_a_trial_is_below_its_study(study, tmp_path):
    directory = get_trial_directory(study, study.trials[2], tmp_path)
    assert directory == tmp_path / "sweeps" / "s" / "2"


def test_the_directory_of_a_job_of_a_grid_is_the_one_it_recorded(study, tmp_path):
    recorded = "/cluster/out/sweeps/s/6_model.widths=[8]"
    study.add_trial(create_trial(value=0.1, user_attrs={"directory": recorded}))
    trial = study.trials[-1]
    assert get_trial_directory(study, trial, tmp_path) == Path(recorded)
    moved = tmp_path / "sweeps" / "s" / "6_model.widths=[8]"
    moved.mkdir(parents=True)
    assert get_trial_directory(study, trial, tmp_path) == moved


def test_a_study_in_a_journal_is_loaded(tmp_path):
    path = str(tmp_path / "studies.journal")
    storage = JournalStorage(JournalFileBackend(path))
    optuna.create_study(study_name="one", storage=storage)
    assert load_study("one", path, tmp_path).study_name == "one"


def test_looking_for_a_study_does_not_create_a_storage(tmp_path):
    with pytest.raises(TrackingError, match="must exist"):
        load_study("one", None, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def test_a_study_names_what_it_extends_and_the_changes():
    storage = optuna.storages.InMemoryStorage()
    first, second, third = (
        optuna.create_study(study_name=name, storage=storage) for name in ("a", "b", "c")
    )
    assert (list_extended(first), describe_changes(first)) == ([], "")
    second.set_user_attr(
        "extends", {"study": "a", "changes": [["x", "1", "2"], ["y", "-", "3"]]}
    )
    third.set_user_attr("extends", {"study": "b", "changes": []})
    assert [study.study_name for study in list_extended(third)] == ["b", "a"]
    assert describe_changes(second) == "x: 1 -> 2; y: - -> 3"
    optuna.delete_study(study_name="a", storage=storage)
    assert [study.study_name for study in list_extended(third)] == ["b"]
