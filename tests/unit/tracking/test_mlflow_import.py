"""The import of MLflow leaves its process as it was."""

import logging
import os

from framesweep.tracking import mlflow_import
from framesweep.tracking.mlflow_import import (
    ENVIRONMENT_DEFAULTS,
    LOG_LEVELS,
    import_mlflow,
    restored_mlflow,
)


def read_levels() -> list[int]:
    return [logging.getLogger(name).level for name in LOG_LEVELS]


def test_the_environment_and_the_loggers_are_restored(monkeypatch):
    import mlflow  # noqa: F401 - which sets levels of its own

    monkeypatch.setattr(mlflow_import, "_levels", {})  # as before any other test's import
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    logging.getLogger("mlflow").setLevel(logging.INFO)
    environment, levels = dict(os.environ), read_levels()
    for _ in range(2):
        with restored_mlflow():
            import_mlflow()
            import_mlflow()
            assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "7"  # the user's own
            assert os.environ.keys() >= ENVIRONMENT_DEFAULTS.keys()
            assert read_levels() == list(LOG_LEVELS.values())
        assert dict(os.environ) == environment
        assert read_levels() == levels
