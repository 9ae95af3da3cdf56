"""What the entry points print about an error, and the exit code that it gives the process."""

import signal
import sys
from collections.abc import Callable
from typing import Any

from framesweep.credentials import printable
from framesweep.errors import FramesweepError, UserError, unwrapped_aborts
from framesweep.system.error_lines import describe_error
from framesweep.system.signals import get_signal_code
from framesweep.system.streams import flush_streams, is_stdout_closed, print_error


def exit_code_of(function: Callable[[], Any]) -> int:
    """Call a function and return the exit code of the process.

    An error that a user can fix is printed in one line; any other is raised with its traceback.
    """
    try:
        with unwrapped_aborts():
            function()
    except FramesweepError as error:
        return print_user_error(error)
    except KeyboardInterrupt as error:
        return get_signal_code(error)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and is_stdout_closed():
            # As if SIGPIPE had ended it, which is what `| head` does to other programs.
            flush_streams()
            return 128 + signal.SIGPIPE
        line = describe_error(error, sys.argv[1:])
        if line is None:
            raise
        return _print_line(line)
    flush_streams()
    return 0


def print_user_error(error: FramesweepError) -> int:
    """Print an error in one line, and return its exit code."""
    return _print_line(str(error), error.exit_code)


def _print_line(line: str, code: int = UserError.exit_code) -> int:
    print_error(f"error: {printable(line)}")
    flush_streams()
    return code
