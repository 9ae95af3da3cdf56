"""The tracking URI, its database and the experiment."""

import sqlite3

import pytest

from framesweep.config.paths import sqlite_path
from framesweep.credentials import URI_VARIABLE
from framesweep.errors import ConfigError, TrackingError
from framesweep.tracking import load_run, mlflow_store


def test_the_default_is_an_absolute_sqlite_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = f"sqlite:///{tmp_path}/outputs/mlflow.db"
    assert mlflow_store.resolve_tracking_uri(None, tmp_path / "outputs") == expected
    assert mlflow_store.resolve_tracking_uri(
        None, tmp_path.joinpath().relative_to(tmp_path) / "outputs"
    ) == (expected)


def test_a_relative_sqlite_file_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = f"sqlite:///{tmp_path}/mine.db"
    assert mlflow_store.resolve_tracking_uri("sqlite:///mine.db", tmp_path) == expected
    assert mlflow_store.resolve_tracking_uri(expected, tmp_path) == expected


@pytest.mark.parametrize(
    "uri", ["http://host:5000", "https://u:p@host", "postgresql+psycopg2://u:p@h/d"]
)
def test_uris_of_servers_and_other_databases_are_unchanged(tmp_path, uri):
    assert mlflow_store.resolve_tracking_uri(uri, tmp_path) == uri
    assert sqlite_path(uri) is None
    assert mlflow_store.is_server(uri) == uri.startswith("http")


@pytest.mark.parametrize(
    "uri", ["mlruns", "file:///tmp/mlruns", "ftp://ann:s3cret@host", "http:host", ""]
)
def test_other_uris_are_refused_without_showing_credentials(tmp_path, uri):
    with pytest.raises(ConfigError, match=r"tracking.uri: must begin with one of") as caught:
        mlflow_store.resolve_tracking_uri(uri, tmp_path)
    assert "s3cret" not in str(caught.value)


def test_a_variable_that_is_empty_is_as_one_that_is_not_set(tmp_path, monkeypatch):
    monkeypatch.setenv(URI_VARIABLE, "")
    expected = f"sqlite:///{tmp_path}/mlflow.db"
    assert mlflow_store.resolve_tracking_uri(None, tmp_path) == expected


@pytest.mark.parametrize(
    ("value", "says"),
    [("mlruns", "must begin with one of"), ("http://***@host", "must be given again")],
)
def test_a_wrong_value_of_the_variable_is_said_to_be_there(tmp_path, monkeypatch, value, says):
    monkeypatch.setenv(URI_VARIABLE, value)
    with pytest.raises(ConfigError, match=f"^{URI_VARIABLE}: {says}"):
        mlflow_store.resolve_tracking_uri(None, tmp_path)


def test_a_new_database_has_all_tables_and_a_write_ahead_log(mlflow_database):
    with sqlite3.connect(mlflow_database) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert {"runs", "metrics", "alembic_version"} <= tables
    left = [p.name for p in mlflow_database.parent.iterdir() if p.name.endswith(".tmp")]
    assert left == []


def test_a_database_of_another_mlflow_version_is_refused_with_the_fix(tracked_outputs):
    with sqlite3.connect(tracked_outputs / "mlflow.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0584bdc529eb'")
    with pytest.raises(TrackingError, match="framesweep db upgrade --uri sqlite:///"):
        mlflow_store.connect(
            mlflow_store.resolve_tracking_uri(None, tracked_outputs), tracked_outputs
        )


def test_a_missing_driver_is_named(tmp_path):
    with pytest.raises(TrackingError, match="needs a database driver") as caught:
        mlflow_store.connect("mysql+cymysql://ann:s3cret@localhost/x", tmp_path)
    assert "s3cret" not in str(caught.value)


@pytest.fixture
def client(tracked_outputs):
    return mlflow_store.connect(
        mlflow_store.resolve_tracking_uri(None, tracked_outputs), tracked_outputs
    )


def _experiment_id(client, outputs, name="speech"):
    return mlflow_store.get_or_create_experiment(
        client, name, mlflow_store.resolve_tracking_uri(None, outputs), outputs
    )


def test_an_experiment_is_created_once_with_the_tags_of_the_training_view(
    client, tracked_outputs
):
    first = _experiment_id(client, tracked_outputs)
    assert _experiment_id(client, tracked_outputs) == first
    experiment = client.get_experiment(first)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert experiment.artifact_location == (tracked_outputs / "artifacts").as_uri()


def test_an_existing_experiment_gets_missing_tags_and_keeps_its_own(client, tracked_outputs):
    made = client.create_experiment("speech")
    _experiment_id(client, tracked_outputs)
    assert "mlflow.experimentKind" in client.get_experiment(made).tags
    client.set_experiment_tag(made, "mlflow.experimentKind", "classification")
    _experiment_id(client, tracked_outputs)
    assert client.get_experiment(made).tags["mlflow.experimentKind"] == "classification"


def test_a_deleted_experiment_is_refused(client, tracked_outputs):
    client.delete_experiment(_experiment_id(client, tracked_outputs))
    with pytest.raises(TrackingError, match=r"tracking.experiment: must not be deleted"):
        _experiment_id(client, tracked_outputs)


def test_an_experiment_that_another_process_creates_first_is_used(client, tracked_outputs):
    class OutdatedClient:
        """Sees no experiment at first, as it was created just after."""

        def __init__(self):
            self.looked = False

        def __getattr__(self, name):
            return getattr(client, name)

        def get_experiment_by_name(self, name):
            if not self.looked:
                self.looked = True
                return None
            return client.get_experiment_by_name(name)

    made = _experiment_id(client, tracked_outputs)
    assert _experiment_id(OutdatedClient(), tracked_outputs) == made


def test_tables_of_a_database_server_are_created_once(tmp_path):
    """PostgreSQL and MySQL go through the same code, which runs on SQLite here."""
    uri = f"sqlite:///{tmp_path}/served.db"
    for _ in range(2):
        mlflow_store._create_tables(uri, tmp_path)
    with sqlite3.connect(tmp_path / "served.db") as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


@pytest.mark.parametrize(
    "damage",
    [lambda content: b"no database" * 99, lambda content: content[:20_000] + b"x" * 20_000],
)
def test_a_damaged_database_is_named_in_one_line(tracked_outputs, damage):
    path = tracked_outputs / "mlflow.db"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(TrackingError, match=r"mlflow\.db: must be an intact MLflow database"):
        load_run("0" * 32, None, tracked_outputs)
