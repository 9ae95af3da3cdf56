import sqlite3
import sys
import time

import optuna
import pytest
from optuna.exceptions import StorageInternalError

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.storage import _retrying_storage
from hydra_plugins.framesweep_sweeper.storage._heartbeats import (
    HeartbeatThread,
    find_stale_trials,
)
from hydra_plugins.framesweep_sweeper.storage._storage import (
    check_driver,
    hide_password,
    make_absolute,
    open_storage,
)


def test_relative_files_become_absolute():
    assert make_absolute("sqlite:///a/b.db", "/x") == "sqlite:////x/a/b.db"
    assert make_absolute("sqlite:////a/b.db", "/x") == "sqlite:////a/b.db"
    assert make_absolute("a.journal", "/x") == "/x/a.journal"
    assert make_absolute("postgresql://h/d", "/x") == "postgresql://h/d"


def test_passwords_are_not_shown():
    assert "secret" not in hide_password("postgresql://me:secret@h/d")
    with pytest.raises(SweepError) as error:
        open_storage("nosuchdb://me:secret@h/d", 60)
    assert "secret" not in str(error.value)
    assert "hydra.sweeper.storage" in str(error.value)


def test_a_missing_driver_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SweepError, match=r'needs psycopg.*"framesweep\[postgres\]"') as error:
        check_driver("postgresql+psycopg://me:secret@h/d")
    assert "secret" not in str(error.value)
    with pytest.raises(SweepError, match="nosuchdb"):
        check_driver("nosuchdb://h/d")
    check_driver("sqlite:////a/b.db")
    check_driver("/a/b.journal")


def test_after_an_outage_nobody_is_taken_for_dead_at_once(storage, monkeypatch):
    study = optuna.load_study(study_name="s", storage=storage)
    study_id = storage.get_study_id_from_name("s")
    trial = study.ask()
    monkeypatch.setattr(
        storage.inner, "_get_stale_trial_ids", lambda study_id: [trial._trial_id], raising=False
    )
    running = study.get_trials(deepcopy=False)
    assert find_stale_trials(storage, study_id, running, 60) == {trial.number}
    monkeypatch.setattr(_retrying_storage, "_last_outage", time.monotonic())
    assert find_stale_trials(storage, study_id, running, 60) == set()


def test_sqlite_writes_ahead(url, storage, tmp_path):
    with sqlite3.connect(tmp_path / "studies.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("kind", ["database", "journal"])
def test_a_trial_is_stale_once_its_heart_has_stopped(kind, url, tmp_path, monkeypatch):
    where = url if kind == "database" else str(tmp_path / "s.journal")
    storage = open_storage(where, 1)
    study = optuna.create_study(storage=storage, study_name="h")
    study_id = storage.get_study_id_from_name("h")
    beating, silent = study.ask(), study.ask()
    heartbeats = HeartbeatThread(storage, 0.05)
    heartbeats.add(beating._trial_id)
    heartbeats.beat(silent._trial_id)

    def stale():
        trials = study.get_trials(deepcopy=False)
        return find_stale_trials(storage, study_id, trials, 1)

    assert stale() == set()
    end = time.monotonic() + 20
    while not (found := stale()) and time.monotonic() < end:
        time.sleep(0.1)
    assert found == {silent.number}
    heartbeats.stop()


def test_a_storage_that_comes_back_is_waited_for(storage, monkeypatch):
    monkeypatch.setattr(_retrying_storage, "FIRST_PAUSE", 0.001)
    real, calls = storage.inner.get_all_studies, []

    def flaky():
        calls.append(1)
        if len(calls) < 4:
            raise StorageInternalError("away")
        return real()

    monkeypatch.setattr(storage.inner, "get_all_studies", flaky)
    assert [study.study_name for study in storage.get_all_studies()] == ["s"]
    assert len(calls) == 4


def test_a_storage_that_stays_away_is_given_up(storage, monkeypatch):
    monkeypatch.setattr(_retrying_storage, "GIVE_UP_SECONDS", 0.01)

    def away():
        raise StorageInternalError("away")

    monkeypatch.setattr(storage.inner, "get_all_studies", away)
    with pytest.raises(StorageInternalError):
        storage.get_all_studies()
