"""The state of a process that a call changes, and that is restored when the call returns.

A command line has a process of its own. A call may come from a notebook or a larger program,
which has its own logging, its own use of Hydra, and its own threads.
"""

import logging
import secrets
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from framesweep.api.hydra_internals import execution_whitelist
from framesweep.api.process_state import restored_process
from framesweep.api.stopping import Continuation, one_line_stops
from framesweep.config.command_line import printed_as_calls
from framesweep.config.composition import register
from framesweep.credentials import CleanFormatter, keep_files_private, printable
from framesweep.errors import FramesweepError, UserError, unwrapped_aborts
from framesweep.runs.job import TRUSTED_TARGETS
from framesweep.system.drawing.matplotlib_backend import import_matplotlib
from framesweep.system.error_lines import describe_error
from hydra_plugins.framesweep_sweeper import SweepError

LOGGERS = ("framesweep", "hydra_plugins")
"""Loggers whose lines are the progress of a call."""

_turn = threading.RLock()
"""Held by the call that runs. Hydra keeps its state once per process, so that calls from
several threads run one after the other."""


@contextmanager
def session(command: str, overrides: Sequence[str]) -> Iterator[Continuation]:
    """Prepare the process for a call, and restore its state at the end of the context.

    What it yields says, once the caller has filled it in, how to continue after Ctrl-C.

    Args:
        command: The command that does the same as the call, which a run records.
        overrides: The overrides of the call.

    Raises:
        FramesweepError: in place of any error that a user can fix; its message is the line that
            the command line prints.
        KeyboardInterrupt: if Ctrl-C, or a notebook's stop button, ended the call, or came too
            late for that.
    """
    with (
        _turn,
        printed_as_calls(),
        one_line_stops() as continuation,
        _one_line_errors(overrides),
        unwrapped_aborts(),
        _restored_hydra(),
        restored_process(),
        _ignored_warnings(),
    ):
        sys.argv = [*command.split(), *overrides]
        keep_files_private(overrides)
        import_matplotlib()
        # The name of a directory: two runs of one process may start in the same second.
        register(secrets.token_hex(3))
        with execution_whitelist(TRUSTED_TARGETS), attached(_console()):
            yield continuation


@contextmanager
def _ignored_warnings() -> Iterator[None]:
    """Hide what tqdm, which other libraries import, reports about a notebook's own bars."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        yield


@contextmanager
def attached(*handlers: logging.Handler) -> Iterator[None]:
    """Send the lines of this package and its sweeper to `handlers` as well, and close these.

    The root logger gets none of them: in a notebook it may have a handler of its own, which
    would print each line again.
    """
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.INFO)
        logger.propagate = False
        for handler in handlers:
            logger.addHandler(handler)
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.propagate = propagate
            for handler in handlers:
                logger.removeHandler(handler)
        for handler in handlers:
            handler.close()


@contextmanager
def muted() -> Iterator[None]:
    """Let the handlers that are attached now print nothing but warnings and errors."""
    handlers = logging.getLogger(LOGGERS[0]).handlers
    before = [(handler, handler.level) for handler in handlers]
    for handler in list(handlers):
        handler.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for handler, level in before:
            handler.setLevel(level)


def _console() -> logging.Handler:
    # The stream of this moment: a notebook sends what is printed to the cell that runs.
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(CleanFormatter("%(message)s"))
    return handler


@contextmanager
def _one_line_errors(overrides: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except FramesweepError:
        raise
    except SweepError as error:
        raise _build_error(error) from None
    except SystemExit as error:
        # Some launcher wanted to end the process.
        raise FramesweepError(f"ended with exit code {error.code}") from error
    except Exception as error:
        line = describe_error(error, overrides)
        if line is None:
            raise
        where, _, rule = printable(line).partition(": ")
        raise UserError(where, rule) from None


def _build_error(error: SweepError) -> FramesweepError:
    """Return an error of the sweeper, whose classes are its own, as one of this package."""
    # Some have a table, with a line for each key of the study that is different.
    where, _, rule = printable(str(error)).partition(": ")
    return (
        UserError(where, rule) if error.exit_code == 2 else FramesweepError(f"{where}: {rule}")
    )


@contextmanager
def _restored_hydra() -> Iterator[None]:
    """Restore Hydra's state, so that the caller may use Hydra itself, before and after."""
    hydra, config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    GlobalHydra.instance().hydra = None
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = hydra
        HydraConfig.instance().cfg = config
