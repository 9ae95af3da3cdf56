"""Why a job failed, as a word that can be counted and a line that can be read."""

import signal

OUT_OF_MEMORY = "out_of_memory"
NAN_LOSS = "nan_loss"
NAN_OBJECTIVE = "nan_objective"
BAD_OBJECTIVE = "bad_objective"
EXCEPTION = "exception"
KILLED = "killed"
TIME_LIMIT = "time_limit"
CONFIG = "config"
DATA = "data"

RECURRING = {CONFIG, DATA, BAD_OBJECTIVE}
"""Failures that another attempt would repeat."""

LOST_WORKER_ERRORS = {"WorkerCrashedError", "NodeDiedError", "TerminatedWorkerError"}
"""What Ray and joblib raise for a worker process that was killed."""

FIRST_SIGNAL_EXIT = 128
"""A shell reports the exit code 128 + n for a process that signal n ended."""


def classify_error(error: BaseException) -> str:
    """Return an error's own `failure_reason`, or the one of the above that it stands for.

    Errors are recognized by the names of their classes, so that neither torch nor a launcher
    need be installed, let alone imported.
    """
    own = getattr(error, "failure_reason", None)
    if isinstance(own, str):
        return own
    names = {base.__name__ for base in type(error).__mro__}
    text = str(error).lower()
    allocates = "out of memory" in text or "alloc" in text
    tests = {
        OUT_OF_MEMORY: bool(names & {"OutOfMemoryError", "MemoryError"})
        or (isinstance(error, RuntimeError) and allocates),
        TIME_LIMIT: "UncompletedJobError" in names and "timed-out" in text,
        KILLED: bool(names & LOST_WORKER_ERRORS),
        NAN_LOSS: isinstance(error, FloatingPointError)
        or any("NonFinite" in name for name in names),
    }
    return next((reason for reason, holds in tests.items() if holds), EXCEPTION)


def summarize_error(error: BaseException) -> str:
    """Return the type and the first line of an error, such as `ValueError: no such key`."""
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    return f"{name}: {lines[0]}" if lines else name


def get_stop_signal(error: BaseException) -> int:
    """Return the signal that interrupted a job so that it can be resumed, or 0 if none did.

    A job says so by KeyboardInterrupt, by SystemExit with the code 128 + signal, or by any
    error whose attribute `exit_code` has such a value.
    """
    if isinstance(error, KeyboardInterrupt):
        return int(signal.SIGINT)
    code = error.code if isinstance(error, SystemExit) else getattr(error, "exit_code", None)
    return max(0, code - FIRST_SIGNAL_EXIT) if isinstance(code, int) else 0


def is_interruption(error: BaseException) -> bool:
    """Return whether a job stopped because a signal asked it to, so that it can be resumed."""
    return get_stop_signal(error) > 0


def describe_exit(returncode: int) -> str:
    """Return how a worker process ended, such as `worker killed by SIGKILL`.

    Args:
        returncode: as `subprocess.Popen.returncode` has it: negative for a signal.
    """
    if returncode >= 0:
        return f"worker exited with code {returncode}"
    try:
        return f"worker killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"worker killed by signal {-returncode}"
