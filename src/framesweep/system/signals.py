"""Signals as requests that training checks between steps, so that it can save first.

Before and after training they end a command with its exit code, and without a traceback.
"""

import _thread
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from framesweep.errors import Interrupted
from hydra_plugins.framesweep_sweeper.workers import REQUEUE, handled_by, list_stop_signals

SIGNALS = list_stop_signals()
"""Signals that ask a run to stop."""

REPEAT_SECONDS = 0.05
"""Seconds between two looks at whether an import has ended."""

_IMPORT_FILE = "<frozen importlib._bootstrap>"
"""The file of the functions that import a module, in their frames."""


class _Received:
    """What this process has received, as far as it has had no effect yet."""

    late = 0
    """The last signal that was caught in vain, or 0."""
    waits = False
    """Whether a signal waits for the end of an import."""
    is_repeated = False
    """Whether the next call of the handler is that of `_repeat`."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM raise KeyboardInterrupt within the context, but in no import.

    Libraries catch what is raised while they import others, and continue without them; a module
    whose import was broken off stays as it is. So the error is raised when the import has
    ended. A second signal ends the process at once.

    A signal that is ignored, as in a job that a shell has put into the background, stays so.
    """
    defaults = (signal.default_int_handler, signal.SIG_DFL)
    with handled_by(_interrupt, [n for n in SIGNALS if signal.getsignal(n) in defaults]):
        yield


def _interrupt(signum: int, frame: FrameType | None) -> None:
    is_second = _Received.waits and not _Received.is_repeated
    _Received.waits = _is_importing(frame)
    if not _Received.waits:
        _Received.late = signum  # what is raised may be lost, as in a weakref's callback
        raise KeyboardInterrupt from Interrupted(signum)
    if is_second:
        os._exit(128 + signum)
    _Received.is_repeated = False
    # `threading` has locks, which the main thread may hold at this moment.
    _thread.start_new_thread(_repeat, (signum,))


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_filename != _IMPORT_FILE:
        frame = frame.f_back
    return frame is not None


def _repeat(signum: int) -> None:
    """Call the handler of the signal again after a moment."""
    time.sleep(REPEAT_SECONDS)
    _Received.is_repeated = True
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main, signum)  # it may wait for something, which this interrupts
    else:
        _thread.interrupt_main(signal.Signals(signum))


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Call the handlers of SIGINT and SIGTERM at the end of the context only.

    What they raise is lost in a callback of a C library, through which nothing can be raised.
    """
    arrived: list[int] = []
    handled = [signum for signum in SIGNALS if callable(signal.getsignal(signum))]
    with handled_by(lambda signum, _: arrived.append(signum), handled):
        yield
    for signum in arrived:
        signal.raise_signal(signum)


def get_signal_code(error: KeyboardInterrupt) -> int:
    """Return the exit code of a command that a signal has ended: 128 + its number."""
    return error.__cause__.exit_code if isinstance(error.__cause__, Interrupted) else 130


class StopRequest:
    """The number of the first signal that asked to stop, or 0; REQUEUE replaces any other."""

    def __init__(self) -> None:
        self.signum = 0

    def __call__(self) -> int:
        return self.signum


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Catch SIGINT and SIGTERM within the context, and yield the request they make.

    A second SIGINT raises KeyboardInterrupt, for a run that does not reach its next step.
    SIGUSR2 is caught as well if the launcher handles it; the previous handlers are restored at
    the end. A signal that came too late to stop anything is kept for `take_late_signal`. What
    is ignored, and outside the main thread everything, is left alone; see `handled_by`.
    """
    request = StopRequest()

    def remember(signum: int, frame: FrameType | None) -> None:
        if request.signum and signum == signal.SIGINT:
            raise KeyboardInterrupt
        if not request.signum or signum == REQUEUE:
            request.signum = signum

    signals = [*SIGNALS]
    if REQUEUE is not None and callable(signal.getsignal(REQUEUE)):
        signals.append(REQUEUE)
    with handled_by(remember, signals):
        yield request
        _Received.late = request.signum or _Received.late


def take_late_signal() -> int:
    """Return the last signal that a run caught in vain, or 0; once only.

    It came after the last step. The run is finished then, but a grid has further ones.
    """
    signum, _Received.late = _Received.late, 0
    return signum
