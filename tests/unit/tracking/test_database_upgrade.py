"""Upgrades of MLflow's database: with a backup, once, and back to the start if they fail."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy
from alembic import command
from alembic.script import ScriptDirectory
from mlflow.store.db import utils
from mlflow.store.tracking.dbmodels.initial_models import Base

from framesweep.config.paths import sqlite_url
from framesweep.errors import ConfigError, TrackingError
from framesweep.tracking import mlflow_store
from framesweep.tracking.database_upgrade import upgrade_database
from framesweep.tracking.mlflow_import import import_mlflow


def read(path, sql):
    with sqlite3.connect(path) as connection:
        return connection.execute(sql).fetchall()


def revision_of(path):
    return read(path, "SELECT version_num FROM alembic_version")[0][0]


def text_of(path):
    with sqlite3.connect(path) as connection:
        return list(connection.iterdump())


@pytest.fixture(scope="module")
def revisions():
    """The revision of the installed MLflow's tables, and the one before."""
    scripts = ScriptDirectory.from_config(utils._get_alembic_config(db_url=""))
    head = scripts.get_current_head()
    return head, scripts.get_revision(head).down_revision


@pytest.fixture(scope="module")
def older_content(tmp_path_factory, revisions):
    """A database as the MLflow before the last change of the tables created it."""
    import_mlflow()
    path = tmp_path_factory.mktemp("older") / "mlflow.db"
    engine = sqlalchemy.create_engine(sqlite_url(path))
    Base.metadata.create_all(engine)
    config = utils._get_alembic_config(str(engine.url))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revisions[1])
    engine.dispose()
    with sqlite3.connect(path) as database:
        database.execute(
            "INSERT INTO experiments (experiment_id, name, lifecycle_stage)"
            " VALUES (7, 'kept', 'active')"
        )
    database.close()
    return path.read_bytes()


@pytest.fixture
def older(tmp_path, older_content):
    path = tmp_path / "mlflow.db"
    path.write_bytes(older_content)
    return path


def backups(path):
    return sorted(path.parent.glob("mlflow-*.db"))


def test_a_database_of_an_earlier_mlflow_is_upgraded_after_a_backup(older, revisions):
    uri = mlflow_store.resolve_tracking_uri(None, older.parent)
    with pytest.raises(TrackingError, match="Run `framesweep db upgrade --uri sqlite:///"):
        mlflow_store.connect(uri, older.parent)
    before = text_of(older)
    upgrade = upgrade_database(uri, older.parent)
    assert (upgrade.before, upgrade.after) == (revisions[1], revisions[0])
    assert revision_of(older) == revisions[0]
    assert [upgrade.backup] == backups(older)
    assert text_of(upgrade.backup) == before
    experiment = mlflow_store.connect(uri, older.parent).get_experiment("7")
    assert experiment.name == "kept"


def test_a_database_of_the_installed_mlflow_is_left_alone(mlflow_database, revisions):
    uri = mlflow_store.resolve_tracking_uri(None, mlflow_database.parent)
    assert upgrade_database(uri, mlflow_database.parent) == (revisions[0], revisions[0], None)
    assert backups(mlflow_database) == []


def test_of_two_simultaneous_upgrades_one_changes_the_tables(older, revisions):
    uri = mlflow_store.resolve_tracking_uri(None, older.parent)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: upgrade_database(uri, older.parent), range(2)))
    assert sorted(upgrade.backup is None for upgrade in done) == [False, True]
    assert revision_of(older) == revisions[0]


def test_a_failed_upgrade_leaves_the_database_as_it_was(older, monkeypatch):
    before = text_of(older)

    def fail(engine):
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("DROP TABLE experiments"))
        raise RuntimeError("no such index\nand more")

    monkeypatch.setattr(utils, "_upgrade_db", fail)
    uri = mlflow_store.resolve_tracking_uri(None, older.parent)
    with pytest.raises(TrackingError, match=r"\(no such index\)\. Its contents are as before"):
        upgrade_database(uri, older.parent)
    assert text_of(older) == before


def test_a_database_of_a_later_mlflow_is_named_as_such(older):
    with sqlite3.connect(older) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    uri = mlflow_store.resolve_tracking_uri(None, older.parent)
    with pytest.raises(TrackingError, match=r"later version of MLflow.*'ffffffffffff'"):
        upgrade_database(uri, older.parent)
    assert backups(older) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", "must contain MLflow's tables"), (b"x" * 4096, "must be an intact MLflow database")],
)
def test_a_file_that_is_no_database_of_mlflow_is_named(tmp_path, content, expected):
    (tmp_path / "mlflow.db").write_bytes(content)
    uri = mlflow_store.resolve_tracking_uri(None, tmp_path)
    with pytest.raises(TrackingError, match=expected):
        upgrade_database(uri, tmp_path)
    assert (tmp_path / "mlflow.db").read_bytes() == content


def test_a_database_that_does_not_exist_is_not_created(tmp_path):
    uri = mlflow_store.resolve_tracking_uri(None, tmp_path)
    with pytest.raises(TrackingError, match="must be an existing database"):
        upgrade_database(uri, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://ann:s3cret@host:5000", "must be a database"),
        ("postgresql://ann:s3cret@host/x", "must be backed up before.*--backed-up"),
    ],
)
def test_servers_and_databases_without_a_backup_are_refused(tmp_path, uri, expected):
    with pytest.raises(ConfigError, match=expected) as caught:
        upgrade_database(uri, tmp_path)
    assert "s3cret" not in str(caught.value)
