"""Signals that stop a sweep or a job: SIGINT and SIGTERM, and SIGUSR2 from a scheduler."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

REQUEUE = getattr(signal, "SIGUSR2", None)
"""The signal that Slurm sends before it preempts a job or its time limit is reached. Hydra's
submitit launcher handles it by requeueing the job."""


def list_stop_signals() -> list[signal.Signals]:
    """Return the signals that ask a sweep or a run to stop.

    SIGBREAK is Ctrl-Break on Windows, and the only one of them that can be sent to another
    process there.
    """
    names = ("SIGINT", "SIGTERM", "SIGBREAK")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


@contextmanager
def handled_by(
    handler: Callable[[int, FrameType | None], object], signums: Iterable[int]
) -> Iterator[None]:
    """Let a handler handle signals within the context, and restore the previous ones.

    A signal that is ignored, as SIGINT in a job that a shell has put into the background or
    SIGHUP after `nohup`, stays so. Python allows signal handlers in the main thread only; in
    any other thread the signals are left alone.
    """
    is_main = threading.current_thread() is threading.main_thread()
    caught = [n for n in signums if is_main and signal.getsignal(n) != signal.SIG_IGN]
    previous = {signum: signal.signal(signum, handler) for signum in caught}
    try:
        yield
    finally:
        for signum, before in previous.items():
            signal.signal(signum, before)


class StopSignal:
    """The signal that asked the sweep to stop.

    Attributes:
        signum: the first signal that arrived; 0 before that.
        urgent: whether a second one has arrived, or the first while the sweep was ending.
        is_ending: whether the sweep is ending by itself.
    """

    def __init__(self) -> None:
        self.signum = 0
        self.urgent = False
        self.is_ending = False

    def note(self, signum: int, frame: FrameType | None) -> None:
        """Take note of a signal; the arguments are those of a signal handler."""
        self.urgent = bool(self.signum) or self.is_ending
        self.signum = self.signum or signum


@contextmanager
def catch_stop_signals() -> Iterator[StopSignal]:
    """Catch SIGINT and SIGTERM within the context, and yield an object that takes note of them.

    In any other thread than the main one no signal is caught; see `handled_by`.
    """
    stop = StopSignal()
    with handled_by(stop.note, list_stop_signals()):
        yield stop


@contextmanager
def watch_requeue_signal() -> Iterator[list[int]]:
    """Take note of SIGUSR2 within the context, and pass it on to the launcher's handler.

    Yields:
        A list to which the signal is appended. It stays empty if nothing handles SIGUSR2.
    """
    seen: list[int] = []
    handler = get_requeue_handler()
    if REQUEUE is None or handler is None:
        yield seen
        return

    def note(signum: int, frame: FrameType | None) -> None:
        seen.append(signum)
        handler(signum, frame)

    with handled_by(note, [REQUEUE]):
        yield seen


def get_requeue_handler() -> Callable[[int, FrameType | None], Any] | None:
    """Return the function that handles SIGUSR2, or None.

    None also stands for a system without the signal, and for a thread other than the main one.
    """
    if REQUEUE is None or threading.current_thread() is not threading.main_thread():
        return None
    handler = signal.getsignal(REQUEUE)
    return handler if callable(handler) else None
