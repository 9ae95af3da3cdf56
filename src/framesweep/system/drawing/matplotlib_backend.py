"""Imports matplotlib whatever MPLBACKEND says.

A notebook's kernel sets MPLBACKEND for the programs that it starts. Matplotlib refuses to be
imported if the variable names a backend that is not installed, even by a program that draws
into files only and needs no backend.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator

VARIABLE = "MPLBACKEND"


def draw_into_files() -> None:
    """Let matplotlib in this process and in those that it starts draw into files only.

    For the command line, which never shows a window.
    """
    os.environ[VARIABLE] = "agg"


@contextlib.contextmanager
def pyplot_into_files() -> Iterator[None]:
    """Let pyplot draw into files within the context, without a display and in any thread.

    Afterwards it has the backend that it had: a notebook shows its own plots with it.
    """
    import matplotlib as mpl

    backend = mpl.get_backend()
    mpl.use("agg")
    try:
        yield
    finally:
        # It cannot be used again if the event loop of another one has been started meanwhile.
        with contextlib.suppress(ImportError):
            mpl.use(backend)


def import_matplotlib() -> None:
    """Import matplotlib with the backend that MPLBACKEND names if there is one, else any other.

    To be called before a module that imports matplotlib is imported, in a process that may
    belong to somebody else, such as a notebook's kernel: its own plots keep their backend.
    """
    if "matplotlib" in sys.modules or VARIABLE not in os.environ:
        return
    backend = os.environ.pop(VARIABLE)
    try:
        matplotlib = importlib.import_module("matplotlib")
        # A backend that is not installed is a ValueError: whoever plots gets the default one.
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = backend
    finally:
        os.environ[VARIABLE] = backend
