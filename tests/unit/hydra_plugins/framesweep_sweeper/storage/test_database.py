import multiprocessing
import sqlite3
from multiprocessing.synchronize import Barrier
from pathlib import Path

import optuna
import pytest
import sqlalchemy.exc

import framesweep
from hydra_plugins.framesweep_sweeper.storage import _database
from hydra_plugins.framesweep_sweeper.storage._database import describe_error, open_database

PROCESSES, DATABASES = 4, 5


def _open_together(barrier: Barrier, folder: Path) -> None:
    for number in range(DATABASES):
        barrier.wait(timeout=60)
        open_database(f"sqlite:///{folder}/{number}.db")


def test_processes_that_open_a_new_database_together_all_succeed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(Path(framesweep.__file__).parents[1])
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    processes = [
        context.Process(target=_open_together, args=(barrier, tmp_path))
        for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    for number in range(DATABASES):
        with sqlite3.connect(tmp_path / f"{number}.db") as connection:
            rows = connection.execute("SELECT COUNT(*) FROM alembic_version").fetchone()
        assert rows == (1,)


@pytest.mark.parametrize(
    "message",
    [
        "table studies already exists",
        "UNIQUE constraint failed: alembic_version.version_num",
        'duplicate key value violates unique constraint "pg_type_typname_nsp_index"',
    ],
)
def test_a_database_that_was_created_meanwhile_is_opened_again(tmp_path, monkeypatch, message):
    attempts = []
    make = optuna.storages.RDBStorage

    def be_late_once(*args, **kwargs):
        attempts.append(args)
        if len(attempts) == 1:
            raise sqlalchemy.exc.IntegrityError(None, None, Exception(message))
        return make(*args, **kwargs)

    monkeypatch.setattr(_database, "RDBStorage", be_late_once)
    storage = open_database(f"sqlite:///{tmp_path}/s.db")
    assert storage.get_all_studies() == []
    assert len(attempts) == 2


def test_any_other_error_is_raised_at_once(tmp_path):
    (tmp_path / "s.db").write_text("not a database, but long enough to look at" * 20)
    with pytest.raises(sqlite3.DatabaseError, match="file is not a database"):
        open_database(f"sqlite:///{tmp_path}/s.db")


def test_an_upgrade_is_a_command_that_can_be_typed_and_has_no_credentials():
    url = "postgresql://ann:s3cr3t@h/d?a=1&password=s3cr3t"
    error = RuntimeError(
        "Old. Please execute `$ optuna storage upgrade --storage $STORAGE_URL`."
    )
    command = "`optuna storage upgrade --storage 'postgresql://***@h/d?a=1&password=***'`"
    assert describe_error(error, url) == f"Old. Please execute {command}"
