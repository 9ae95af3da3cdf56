import pickle
import sqlite3
from contextlib import closing

import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import StudyDirection
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from tenacity import wait_none
from tenacity.stop import stop_before_delay

from hydra_plugins.framesweep_sweeper.storage import _retrying_storage
from hydra_plugins.framesweep_sweeper.storage._retrying_storage import (
    StudyLockedError,
    add_retries,
    describe_outage,
    retry_while_unavailable,
    seconds_since_outage,
)


@pytest.fixture
def change_policy(monkeypatch):
    """Return a function that changes how retries wait and stop."""

    def change(**policy):
        changed = _retrying_storage._RETRYING.copy(**policy)
        monkeypatch.setattr(_retrying_storage, "_RETRYING", changed)

    return change


def fail_times(number, error):
    """Return a function that raises `error` so many times and then returns its call count."""
    calls = []

    def call():
        calls.append(1)
        if len(calls) <= number:
            raise error
        return len(calls)

    return call


def test_a_call_is_repeated_until_the_database_answers(change_policy, caplog):
    change_policy(wait=wait_none())
    assert retry_while_unavailable(fail_times(3, StorageInternalError("away"))) == 4
    warnings = [r.getMessage() for r in caplog.records if r.name == _retrying_storage.__name__]
    assert warnings == [
        "the study's storage cannot be reached; retrying (StorageInternalError)"
    ]


def test_the_lock_of_another_process_is_named_as_the_reason(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 's.db'}", connect_args={"timeout": 0})
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as suspended:
        suspended.execute("begin exclusive")
        with pytest.raises(OperationalError) as locked, engine.begin() as connection:
            connection.execute(text("create table t (x int)"))
    error = StorageInternalError("SQL of many lines")
    error.__cause__ = locked.value
    for outage in (error, locked.value, StudyLockedError()):
        line = "another process, which may be suspended, has locked the study"
        assert describe_outage(outage) == line


def test_sqlite_says_itself_what_happened():
    error = StorageInternalError("SQL of many lines")
    full = sqlite3.OperationalError("database or disk is full")
    error.__cause__ = OperationalError("insert ...", {}, full)
    assert describe_outage(error) == "OperationalError: database or disk is full"
    error.__cause__ = OperationalError("insert ...", {}, ConnectionError("to ann@host"))
    assert describe_outage(error) == "OperationalError"


def test_an_outage_is_remembered(change_policy):
    assert seconds_since_outage() == float("inf")
    change_policy(wait=wait_none())
    retry_while_unavailable(fail_times(1, StorageInternalError("away")))
    assert seconds_since_outage() < 60


def test_the_error_is_raised_once_the_time_is_over(change_policy):
    change_policy(stop=stop_before_delay(0.01))
    with pytest.raises(StorageInternalError, match="away"):
        retry_while_unavailable(fail_times(99, StorageInternalError("away")))
    assert seconds_since_outage() < 60


def test_pauses_double_up_to_the_longest(monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(_retrying_storage._RETRYING, "sleep", pauses.append)
    retry_while_unavailable(fail_times(8, StorageInternalError("away")))
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_other_errors_are_raised_immediately():
    call = fail_times(1, KeyError("x"))
    with pytest.raises(KeyError):
        retry_while_unavailable(call)
    assert call() == 2


def test_every_public_method_of_a_storage_is_retried(change_policy, monkeypatch):
    change_policy(wait=wait_none())
    inner = InMemoryStorage()
    storage = add_retries(inner)
    names = [n for n, v in vars(BaseStorage).items() if callable(v) and n[0] != "_"]
    assert len(names) > 20
    for name in names:
        monkeypatch.setattr(inner, name, fail_times(1, StorageInternalError(name)))
        assert getattr(storage, name)() == 2


def test_a_storage_without_a_way_to_open_it_again_is_copied():
    storage = add_retries(InMemoryStorage())
    study_id = storage.create_new_study([StudyDirection.MINIMIZE], "s")
    copy = pickle.loads(pickle.dumps(storage))
    assert copy.get_study_id_from_name("s") == study_id
