"""Every error framesweep raises on purpose.

FramesweepError
├── UserError               input or config a user can mend; exit code 2
│   ├── ConfigError         a config key, or keys that contradict each other
│   ├── DataError           a corpus, a file in it, or a prepared store
│   │   └── UnsafeFileError a file that asks to run code when read
│   ├── CheckpointError     a checkpoint that is missing, damaged or of another model
│   └── TrackingError       a run, experiment or tracking server that cannot be had
├── NonFiniteLossError      the training loss became NaN or infinite
├── RankLostError           another process of the same run ended or stopped answering
└── Interrupted             SIGINT or SIGTERM; exit code 128 + the signal's number
"""

import signal
from typing import Any

_NOT_GIVEN = object()


class FramesweepError(Exception):
    """Base of all errors raised on purpose; its text is one line for a person."""

    exit_code: int = 1


class UserError(FramesweepError):
    """Something the user can mend.

    Args:
        where: the config key or the file at fault.
        rule: what must hold, as "must be between 0 and 50".
        found: the value that breaks the rule; omitted where there is none.
        fix: what to type or do instead.
    """

    exit_code = 2

    def __init__(
        self, where: object, rule: str, *, found: object = _NOT_GIVEN, fix: str = ""
    ) -> None:
        line = f"{where}: {rule}"
        if found is not _NOT_GIVEN:
            line += f"; found {found!r}"
        if fix:
            line += f". {fix}"
        super().__init__(line)
        self.where = where
        self.rule = rule
        self.fix = fix

    def __reduce__(self) -> tuple[Any, ...]:
        # The way from a worker process: the line is there and is not made again.
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(kind: type[UserError], args: tuple[Any, ...], state: dict[str, Any]) -> UserError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class ConfigError(UserError):
    """A config key breaks its rule, or two keys contradict each other."""


class DataError(UserError):
    """A corpus, one of its files, or a prepared store cannot be used."""


class UnsafeFileError(DataError):
    """A file would run code if it were read the ordinary way."""


class CheckpointError(UserError):
    """A checkpoint is missing, damaged, or belongs to another model."""


class TrackingError(UserError):
    """A run, an experiment or a tracking server cannot be had."""


class NonFiniteLossError(FramesweepError):
    """The training loss became NaN or infinite; the last good checkpoint is kept."""


class RankLostError(FramesweepError):
    """Another process of this run ended or stopped answering; the last checkpoint is kept."""


class Interrupted(FramesweepError):  # noqa: N818 - a wish, not an error
    """A signal asked the run to stop; its checkpoint has been written."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.exit_code = 128 + signum
