"""Whether progress can be shown in lines that are replaced."""

import os
import sys

KERNEL_VARIABLE = "JPY_PARENT_PID"
"""Environment variable of a notebook's kernel and of the processes that it starts."""


def shows_bars() -> bool:
    """Return whether standard error is a terminal, whose lines can be replaced.

    The cell of a notebook gives a command that it starts, as `!framesweep train`, a terminal
    too, but stores each line that was replaced.
    """
    return sys.stderr.isatty() and KERNEL_VARIABLE not in os.environ
