"""Signals as a wish that work can look at, instead of a blow."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
REQUEUE = getattr(signal, "SIGUSR2", None)
"""Where a scheduler's launcher handles it: sent ahead of preemption and of a time limit."""


class StopRequest:
    """The first signal that asked to stop, 0 until then; REQUEUE goes before any other."""

    def __init__(self) -> None:
        self.signum = 0

    def __call__(self) -> int:
        return self.signum


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Catches SIGINT and SIGTERM inside; a second SIGINT is a KeyboardInterrupt.

    SIGUSR2 is caught as well where something handles it, and handled by that again after.
    Outside the main thread, where Python sets no handlers, nothing is caught.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(signum: int, frame: FrameType | None) -> None:
        if request.signum and signum == signal.SIGINT:
            raise KeyboardInterrupt
        if not request.signum or signum == REQUEUE:
            request.signum = signum

    signals = [*SIGNALS]
    if REQUEUE is not None and callable(signal.getsignal(REQUEUE)):
        signals.append(REQUEUE)
    before = {signum: signal.signal(signum, note) for signum in signals}
    try:
        yield request
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
