"""Optuna and MLflow never get the same database."""

import pytest

from configs import compose
from framesweep.config.composition import register
from framesweep.errors import ConfigError
from framesweep.sweeps.databases import require_separate_databases

register()


SEPARATE = [
    ("sqlite:////a/studies.db", "sqlite:////a/mlflow.db"),
    ("postgresql://host/studies", "postgresql://host/runs"),
    ("studies.journal", "sqlite:////a/mlflow.db"),
    ("postgresql://host/one", "http://host/one"),
    ("postgresql://host/one", "postgresql://host:5433/one"),
]
SHARED = [
    ("sqlite:////a/one.db", "sqlite:////a/one.db"),
    ("sqlite+pysqlite:////a/b%20c.db", "sqlite:////a/b c.db"),
    ("postgresql+psycopg://ann:x@host/one", "postgresql://bob:y@host/one"),
    ("postgresql+psycopg://u@host:5432/one", "postgresql://u@host/one"),
    ("mariadb+pymysql://host/one", "mysql+pymysql://host:3306/one"),
]


@pytest.mark.parametrize(("storage", "uri"), SEPARATE)
def test_studies_and_runs_in_two_databases_are_accepted(storage, uri):
    require_separate_databases(storage, compose([f"tracking.uri='{uri}'"]))


@pytest.mark.parametrize(("storage", "uri"), SHARED)
def test_studies_and_runs_in_one_database_are_refused_before_either_is_created(storage, uri):
    with pytest.raises(
        ConfigError, match=r"storage: must not be the database of tracking\.uri"
    ):
        require_separate_databases(storage, compose([f"tracking.uri='{uri}'"]))
