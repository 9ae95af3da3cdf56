"""Which of MLflow's errors are temporary: a later attempt may succeed."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.exceptions import MlflowException

TEMPORARY_ERROR_CODES = {
    "TEMPORARILY_UNAVAILABLE",
    "INTERNAL_ERROR",
    "REQUEST_LIMIT_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "DEADLINE_EXCEEDED",
    "ABORTED",
    "CANCELLED",
}
"""Error codes of MLflow after which the same request may succeed."""


def is_temporary(error: "MlflowException") -> bool:
    """Return whether the same request may succeed later."""
    from sqlalchemy.exc import InterfaceError, TimeoutError

    # MLflow reports a lost connection, and a pool with no free one, as a bad request.
    busy = isinstance(error.__cause__, (InterfaceError, TimeoutError))
    return busy or error.error_code in TEMPORARY_ERROR_CODES


@contextlib.contextmanager
def translate_temporary_errors() -> Iterator[None]:
    """Raise ConnectionError, an OSError, in place of any error that may be over later."""
    import sqlalchemy.exc
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if is_temporary(error):
            raise ConnectionError(str(error)) from error
        raise
    except sqlalchemy.exc.OperationalError as error:
        raise ConnectionError(str(error)) from error
