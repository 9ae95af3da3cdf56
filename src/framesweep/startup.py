"""Ctrl-C while a command imports its modules, which takes half a second.

`system.signals` handles it afterwards. This module imports nothing that takes time.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end the process without a traceback, as long as the context lasts.

    Nothing changes if SIGINT is ignored or has another handler than Python's, nor outside of
    the main thread, which alone may set handlers.
    """
    default = signal.default_int_handler
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not default:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, default)
