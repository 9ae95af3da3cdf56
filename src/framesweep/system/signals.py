"""Signals as requests that training checks between steps, so that it can save first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGBREAK")
SIGNALS = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
"""Signals that ask a run to stop. SIGBREAK is Ctrl-Break on Windows, and the only one of them
that can be sent to another process there."""
REQUEUE = getattr(signal, "SIGUSR2", None)
"""The signal that Slurm sends before preemption or a time limit; Hydra's submitit launcher
handles it by requeueing the job."""


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
    the end. Outside the main thread nothing is caught, as Python allows no handlers there.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def remember(signum: int, frame: FrameType | None) -> None:
        if request.signum and signum == signal.SIGINT:
            raise KeyboardInterrupt
        if not request.signum or signum == REQUEUE:
            request.signum = signum

    signals = [*SIGNALS]
    if REQUEUE is not None and callable(signal.getsignal(REQUEUE)):
        signals.append(REQUEUE)
    previous = {signum: signal.signal(signum, remember) for signum in signals}
    try:
        yield request
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
