"""Signals noted: SIGINT and SIGTERM for the loop to see, SIGUSR2 where a scheduler sends it."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

REQUEUE = getattr(signal, "SIGUSR2", None)
"""Sent ahead of preemption and of a time limit; a launcher handles it."""


class StopSignal:
    """The signal that asked the sweep to stop.

    Attributes:
        signum: the first signal, 0 until one came.
        urgent: whether a second one has come.
    """

    def __init__(self) -> None:
        self.signum = 0
        self.urgent = False

    def note(self, signum: int, frame: FrameType | None) -> None:
        self.urgent = bool(self.signum)
        self.signum = self.signum or signum


@contextmanager
def catch_stop_signals() -> Iterator[StopSignal]:
    """Notes SIGINT and SIGTERM inside; beside the main thread nothing can be noted."""
    stop = StopSignal()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {signum: signal.signal(signum, stop.note) for signum in signals}
    try:
        yield stop
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


@contextmanager
def watch_requeue_signal() -> Iterator[list[int]]:
    """Notes SIGUSR2 inside a job whose launcher handles it: by having it start again later."""
    seen: list[int] = []
    handler = get_requeue_handler()
    if REQUEUE is None or handler is None:
        yield seen
        return

    def note(signum: int, frame: FrameType | None) -> None:
        seen.append(signum)
        handler(signum, frame)

    signal.signal(REQUEUE, note)
    try:
        yield seen
    finally:
        signal.signal(REQUEUE, handler)


def get_requeue_handler() -> Callable[[int, FrameType | None], Any] | None:
    """What handles SIGUSR2 in this process; None where nothing does, or not in this thread."""
    if REQUEUE is None or threading.current_thread() is not threading.main_thread():
        return None
    handler = signal.getsignal(REQUEUE)
    return handler if callable(handler) else None
