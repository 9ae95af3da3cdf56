"""The import of MLflow, and what it changes in the process that other programs would notice."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

ENVIRONMENT_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Environment variables that MLflow reads: no telemetry, retries or lines of its own.

`Sender` retries, and it can be interrupted while it waits, which MLflow cannot.
"""

LOG_LEVELS = {
    "mlflow": logging.ERROR,
    "mlflow.store.db": logging.CRITICAL,
    "alembic": logging.WARNING,
    # `Sender` warns once that a server cannot be reached; urllib3 would at every attempt.
    "urllib3.connectionpool": logging.ERROR,
}
"""From which level on lines of MLflow and its libraries are printed."""

_levels: dict[str, int] = {}
"""The levels that these loggers had once MLflow was imported."""


def import_mlflow() -> None:
    """Import MLflow, which takes a second or more, and silence what it prints."""
    for name, value in ENVIRONMENT_DEFAULTS.items():
        os.environ.setdefault(name, value)
    import mlflow  # noqa: F401

    # MLflow advises to run a model on an example while it is logged, which takes seconds.
    warnings.filterwarnings("ignore", ".*input example was not provided", UserWarning)
    for name, level in LOG_LEVELS.items():
        logger = logging.getLogger(name)
        _levels.setdefault(name, logger.level)
        logger.setLevel(level)


@contextmanager
def restored_mlflow() -> Iterator[None]:
    """Undo at the end what `import_mlflow` changes: the environment, and levels of loggers."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT_DEFAULTS}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        while _levels:
            name, level = _levels.popitem()
            logging.getLogger(name).setLevel(level)
