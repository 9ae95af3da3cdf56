"""The standard streams of a command, which may be closed, full or a pipe that nobody reads."""

import contextlib
import io
import logging
import os
import select
import sys


def repair_streams() -> None:
    """Let output to closed streams go nowhere, and let no output fail.

    Characters that the encoding of the terminal lacks are written as escapes: a name in IPA
    must not end a command where the locale is not UTF-8.
    If a descriptor of a standard stream is free, the next file that is opened gets it, and
    everything that libraries print to that stream is written into the file. What a run prints
    is in its log file too, so a console that cannot be written is no reason to end it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free descriptor is used: exactly this one.
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
            setattr(sys, name, stream)
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            # The file of a stream may have been replaced by a pipe, which has no position to
            # ask for. By then the new way to write is in place.
            with contextlib.suppress(OSError, ValueError):
                output.reconfigure(errors="backslashreplace")
    logging.raiseExceptions = False


def is_stdout_closed() -> bool:
    """Return whether nobody reads what is written to standard output."""
    try:
        sys.stdout.flush()
        if not hasattr(select, "poll"):  # on Windows a write is the only way to find out
            return False
        # A pipe reports an error, and no event, once its reader has closed it.
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except BrokenPipeError:
        return True
    except (OSError, ValueError):
        return False


def flush_streams() -> None:
    """Write what is left in the streams; what cannot be written is dropped.

    Python would otherwise try again when it ends, print "Exception ignored", and replace the
    exit code by 120.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_error(line: str) -> None:
    """Print a line to standard error, unless that cannot be written."""
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)
