"""What Ctrl-C, or the stop button of a notebook, raises from a call: how to continue."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from framesweep.api.result import Result
from framesweep.config.command_line import load_hint, resume_hint
from framesweep.config.paths import CONFIG_FILE
from framesweep.credentials import scrub
from framesweep.errors import Interrupted
from framesweep.system.signals import get_signal_code, take_late_signal


class Stopped(KeyboardInterrupt):
    """Ctrl-C has ended a call; the message is one line with the call that continues."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints instead of a traceback."""
        return [f"KeyboardInterrupt: {self}"]


class Continuation:
    """How whoever stops a call continues, as far as the call has come.

    Attributes:
        text: What to do, of a sweep.
        directory: The directory of the run, of a training.
    """

    def __init__(self) -> None:
        self.text = ""
        self.directory: Path | None = None

    def describe(self, *, is_complete: bool) -> str:
        """Return what to do; empty before anything has been trained.

        Args:
            is_complete: Whether the signal came after the last step of the run.
        """
        if self.directory is None or not (self.directory / CONFIG_FILE).exists():
            return "" if is_complete else self.text
        run = Result(self.directory)
        names = (run.config, run.directory, run.run_id)
        if is_complete:
            return f"the run is complete: {load_hint(*names)}"
        return f"{resume_hint(*names)} resumes the run"


@contextmanager
def one_line_stops() -> Iterator[Continuation]:
    """Raise Stopped if SIGINT ended the context, or came too late to end it.

    In a loop over calls, a signal that the last seconds of a run have caught would be lost
    otherwise. Any other signal does what it usually does.

    Raises:
        Stopped: in place of Interrupted and any other KeyboardInterrupt.
        Interrupted: after another signal, whose handler has returned.
    """
    continuation = Continuation()
    take_late_signal()  # that of an earlier call
    is_complete = False
    try:
        yield continuation
    except Interrupted as error:
        signum = error.exit_code - 128
    except KeyboardInterrupt as error:
        signum = get_signal_code(error) - 128
    else:
        signum, is_complete = take_late_signal(), True
    if signum:
        _stop(signum, continuation.describe(is_complete=is_complete))


def _stop(signum: int, how: str) -> NoReturn:
    """Do what a signal usually does, now that the checkpoint of the run is saved."""
    text = scrub("; ".join(filter(None, [f"stopped by {signal.Signals(signum).name}", how])))
    if signum == signal.SIGINT:
        raise Stopped(text)
    if threading.current_thread() is threading.main_thread():
        signal.raise_signal(signum)  # its own handler has been restored
    error = Interrupted(signum)
    error.args = (text,)
    raise error
