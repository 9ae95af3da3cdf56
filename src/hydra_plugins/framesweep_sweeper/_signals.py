"""SIGINT and SIGTERM, noted for the loop to see."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


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
def noting_signals() -> Iterator[StopSignal]:
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
