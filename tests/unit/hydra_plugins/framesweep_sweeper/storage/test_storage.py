import pickle
import sqlite3
import sys

import optuna
import pytest
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.study import StudyDirection

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.storage._retrying_storage import RetryingStorage
from hydra_plugins.framesweep_sweeper.storage._storage import (
    check_driver,
    make_absolute,
    open_existing,
    open_storage,
)


def test_relative_paths_of_files_become_absolute():
    assert make_absolute("sqlite:///a/b.db", "/x") == "sqlite:////x/a/b.db"
    assert make_absolute("sqlite:////a/b.db", "/x") == "sqlite:////a/b.db"
    assert make_absolute("a.journal", "/x") == "/x/a.journal"
    assert make_absolute("postgresql://h/d", "/x") == "postgresql://h/d"


@pytest.mark.parametrize(
    "url",
    [
        "nosuchdb://me:s3cr3t@h/d",
        "nosuchdb://h/d?user=me&password=s3cr3t",
        "no such db://me:s3cr3t@h/d",
    ],
)
def test_passwords_are_never_shown(url):
    with pytest.raises(SweepError) as error:
        open_storage(url, 60)
    assert "s3cr3t" not in str(error.value)
    assert str(error.value).startswith("hydra.sweeper.storage: must be a storage that can be")
    with pytest.raises(SweepError, match="must be a database URL") as error:
        check_driver(url)
    assert "s3cr3t" not in str(error.value)


def test_a_study_of_a_later_optuna_is_refused_with_the_version_that_created_it(tmp_path):
    url = f"sqlite:///{tmp_path}/studies.db"
    open_storage(url, 60)
    with sqlite3.connect(tmp_path / "studies.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9.0.0.a'")
        connection.execute("UPDATE version_info SET library_version = '9.0.0'")
    with pytest.raises(SweepError, match=r"set up by optuna 9\.0\.0") as error:
        open_storage(url, 60)
    assert "pip install -U optuna" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_driver_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SweepError) as error:
        check_driver("postgresql+psycopg://me:secret@h/d")
    assert str(error.value) == (
        "hydra.sweeper.storage: needs the driver psycopg, which is not installed; "
        "found postgresql+psycopg://***@h/d. "
        'Run: pip install "psycopg[binary]"'
    )


def test_an_unknown_kind_of_database_is_refused():
    with pytest.raises(SweepError, match=r"must be a database URL .* found nosuchdb://h/d"):
        check_driver("nosuchdb://h/d")
    check_driver("sqlite:////a/b.db")
    check_driver("/a/b.journal")


def test_a_path_that_is_no_journal_is_refused_with_the_url_to_type():
    with pytest.raises(SweepError, match=r"found /a/b\.db\. Type sqlite:////a/b\.db"):
        check_driver("/a/b.db")


def test_a_missing_directory_is_created(tmp_path):
    open_storage(f"sqlite:///{tmp_path}/a/s.db", 60)
    open_storage(f"{tmp_path}/b/s.journal", 60).get_all_studies()
    assert (tmp_path / "a" / "s.db").exists()
    assert (tmp_path / "b").is_dir()


def test_sqlite_uses_write_ahead_logging(url, storage, tmp_path):
    with sqlite3.connect(tmp_path / "studies.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_every_connection_to_sqlite_syncs_at_checkpoints_only(storage):
    with storage.inner._backend.engine.connect() as connection:
        (level,) = connection.exec_driver_sql("PRAGMA synchronous").fetchone()
    assert level == 1


def test_a_storage_that_another_process_receives_is_opened_there(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    storage = open_storage(url, 7)
    study_id = storage.create_new_study([StudyDirection.MINIMIZE], "s")
    copy = pickle.loads(pickle.dumps(storage))
    assert isinstance(copy, RetryingStorage)
    assert isinstance(copy.inner, BaseHeartbeat)
    assert type(copy) is type(storage)
    assert copy.get_study_id_from_name("s") == study_id
    assert copy.inner.get_heartbeat_interval() == 7


def test_looking_for_studies_creates_no_file(tmp_path):
    url = f"sqlite:///{tmp_path}/none/studies.db"
    assert optuna.get_all_study_names(open_existing(url, 60)) == []
    assert list(tmp_path.iterdir()) == []
    optuna.create_study(study_name="s", storage=open_storage(url, 60))
    assert optuna.get_all_study_names(open_existing(url, 60)) == ["s"]
