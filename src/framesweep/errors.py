"""The exceptions that framesweep raises deliberately.

FramesweepError
├── UserError               something that the user can fix; exit code 2
│   ├── ConfigError         a config key has an invalid value, or keys contradict each other
│   ├── DataError           a corpus, one of its files, or a prepared store cannot be used
│   │   └── UnsafeFileError a file would run code if it were unpickled
│   ├── CheckpointError     a checkpoint is missing, damaged or of another run
│   ├── TrackingError       a run, an experiment or a tracking server is not available
│   │   └── LostRunError    the tracking server does not have the run, or no longer has it
│   ├── DirectoryInUseError another process trains in the run's directory
│   ├── FileInUseError      another process keeps a file locked
│   └── InsufficientMemoryError  the memory of the machine or of its GPU does not suffice
├── NonFiniteLossError      the training loss became NaN or infinite
├── OwnershipLostError      another process has taken over the run's directory
├── RankLostError           another process of the same run ended or does not respond
└── Interrupted             SIGINT or SIGTERM; exit code 128 + the number of the signal

CallbackAborted carries one of them, or any other error, out of Hydra's callbacks.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_NOT_GIVEN = object()


class FramesweepError(Exception):
    """The base of all deliberate exceptions; the message is one line for the user."""

    exit_code: int = 1

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class UserError(FramesweepError):
    """Something that the user can fix: the message has the place, the rule, value and fix.

    Args:
        where: The config key or the file at fault.
        rule: What must hold, as "must be between 0 and 50".
        found: The value that breaks the rule, if there is one.
        fix: What to type or to do instead.
    """

    exit_code = 2

    def __init__(
        self, where: object, rule: str, *, found: object = _NOT_GIVEN, fix: str = ""
    ) -> None:
        line = f"{where}: {rule}"
        if found is not _NOT_GIVEN:
            line += f"; found {_describe(found)}"
        if fix:
            line += f". {fix}"
        super().__init__(line)
        self.where = where
        self.rule = rule
        self.fix = fix

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickling calls the class with `args`, which holds the finished line, not the arguments
        # above. An error of a worker process must reach the main process unchanged.
        return _restore, (type(self), self.args, self.__dict__)


def _describe(found: object) -> str:
    """Return a value as text; of texts in a list, the texts themselves."""
    if isinstance(found, list | tuple) and all(isinstance(each, str) for each in found):
        return ", ".join(found) or "none"
    return repr(found)


def _restore(kind: type[UserError], args: tuple[Any, ...], state: dict[str, Any]) -> UserError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class ConfigError(UserError):
    """A config key has an invalid value, or keys contradict each other."""

    failure_reason = "config"
    """The word by which a sweep counts the failure, which it does not try again."""


class DataError(UserError):
    """A corpus, one of its files, or a prepared store cannot be used."""

    failure_reason = "data"
    """The word by which a sweep counts the failure, which it does not try again."""


@contextmanager
def moved_data(fix: str) -> Iterator[None]:
    """Add what to do to an error about the folder of a corpus which a run has once read."""
    try:
        yield
    except DataError as error:
        if error.where == "data.root" and not error.fix:
            error.fix, error.args = fix, (f"{error}. {fix}",)
        raise


class UnsafeFileError(DataError):
    """A file would run code if it were unpickled."""


class CheckpointError(UserError):
    """A checkpoint is missing, damaged, or belongs to another run."""


class TrackingError(UserError):
    """A run, an experiment or a tracking server is not available."""


class LostRunError(TrackingError):
    """The tracking server does not have the run, or no longer has it."""


class DirectoryInUseError(UserError):
    """Another process trains in the directory of the run."""


class FileInUseError(UserError):
    """Another process keeps a file locked, perhaps because it is suspended."""


class InsufficientMemoryError(UserError):
    """The memory of the machine or of its GPU does not suffice."""

    failure_reason = "out_of_memory"
    """The word by which a sweep counts the failure."""


class NonFiniteLossError(FramesweepError):
    """The training loss became NaN or infinite. The last checkpoint before it is kept."""


class OwnershipLostError(FramesweepError):
    """Another process has taken over the directory, while this one was considered dead."""


class RankLostError(FramesweepError):
    """Another process of this run ended or does not respond. The last checkpoint is kept."""


class Interrupted(FramesweepError):  # noqa: N818 - a request of the user, not an error
    """A signal asked the run to stop, and its checkpoint has been written."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.exit_code = 128 + signum


class CallbackAborted(BaseException):
    """Carries an error out of one of Hydra's callbacks, and ends the sweep.

    Hydra turns every Exception of a callback into a warning and continues. The entry points
    handle `error` in place of this one.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def unwrapped_aborts() -> Iterator[None]:
    """Raise the error that a CallbackAborted carries in its place."""
    try:
        yield
    except CallbackAborted as abort:
        raise abort.error from abort.error.__cause__
