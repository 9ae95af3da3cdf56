"""Temporary errors of MLflow and of its database are distinguished from permanent ones."""

import errno

import pytest
import sqlalchemy
from mlflow.exceptions import MlflowException
from mlflow.protos import databricks_pb2
from mlflow.store.db.utils import _get_managed_session_maker
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import QueuePool

from framesweep.tracking.mlflow_errors import (
    is_disk_full,
    is_temporary,
    translate_temporary_errors,
)


def test_an_exhausted_connection_pool_is_a_temporary_error():
    engine = sqlalchemy.create_engine(
        "sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01
    )
    make_session = _get_managed_session_maker(sessionmaker(engine), "postgresql")
    with (
        engine.connect(),
        pytest.raises(ConnectionError, match="QueuePool limit"),
        translate_temporary_errors(),
        make_session() as session,
    ):
        session.execute(sqlalchemy.text("select 1"))


def test_a_violated_constraint_is_a_permanent_error():
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("create table one (a integer not null)"))
    make_session = _get_managed_session_maker(sessionmaker(engine), "postgresql")
    with (
        pytest.raises(MlflowException),
        translate_temporary_errors(),
        make_session() as session,
    ):
        session.execute(sqlalchemy.text("insert into one values (null)"))


def test_a_database_that_cannot_be_opened_is_a_temporary_error(tmp_path):
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/missing/folder.db")
    with pytest.raises(ConnectionError, match="unable to open"), translate_temporary_errors():
        engine.connect()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (databricks_pb2.TEMPORARILY_UNAVAILABLE, True),
        (databricks_pb2.INTERNAL_ERROR, True),
        (databricks_pb2.RESOURCE_DOES_NOT_EXIST, False),
        (databricks_pb2.INVALID_PARAMETER_VALUE, False),
    ],
)
def test_the_error_code_decides_otherwise(code, expected):
    assert is_temporary(MlflowException("x", error_code=code)) is expected


def test_errors_of_the_program_are_not_translated():
    with pytest.raises(ZeroDivisionError), translate_temporary_errors():
        _ = 1 / 0


def test_a_full_disk_is_known_by_the_system_or_by_sqlite():
    assert is_disk_full(OSError(errno.ENOSPC, "No space left"))
    assert is_disk_full(ConnectionError("(sqlite3.OperationalError) disk I/O error"))
    assert not is_disk_full(ConnectionError("database is locked"))
    assert not is_disk_full(None)
