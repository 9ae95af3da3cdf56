"""`framesweep db upgrade`: what it prints."""

import sqlite3

import pytest
from click.testing import CliRunner

from framesweep.commands.db import command
from framesweep.errors import TrackingError


def test_a_current_database_is_said_to_be_current(mlflow_database):
    arguments = ["upgrade", "--outputs", str(mlflow_database.parent)]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.output.startswith("The tables are those of the installed MLflow (")


def test_a_later_database_is_refused(tracked_outputs):
    with sqlite3.connect(tracked_outputs / "mlflow.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    arguments = ["upgrade", "--outputs", str(tracked_outputs)]
    with pytest.raises(TrackingError, match="later version of MLflow"):
        CliRunner().invoke(command, arguments, catch_exceptions=False)
