"""What went wrong in a job, in one word and one line."""

import signal

OUT_OF_MEMORY = "out_of_memory"
NAN_LOSS = "nan_loss"
NAN_OBJECTIVE = "nan_objective"
BAD_OBJECTIVE = "bad_objective"
EXCEPTION = "exception"
KILLED = "killed"
TIME_LIMIT = "time_limit"
CONFIG = "config"

LOST_WORKER = {"WorkerCrashedError", "NodeDiedError", "TerminatedWorkerError"}
"""Errors of Ray and joblib for a process that ended without a word."""

FIRST_SIGNAL_EXIT = 128
Z_95 = 1.96


def classify_error(error: BaseException) -> str:
    """One of the reasons above; an error may bring its own as `failure_reason`."""
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
        KILLED: bool(names & LOST_WORKER),
        NAN_LOSS: isinstance(error, FloatingPointError)
        or any("NonFinite" in name for name in names),
    }
    return next((reason for reason, holds in tests.items() if holds), EXCEPTION)


def summarize_error(error: BaseException) -> str:
    """Type and first line of an error."""
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    return f"{name}: {lines[0]}" if lines else name


def get_stop_signal(error: BaseException) -> int:
    """The signal that stopped a job so that it can go on later; 0 for any other end.

    Such are KeyboardInterrupt, and any error or SystemExit that brings the exit code
    128 + signal.
    """
    if isinstance(error, KeyboardInterrupt):
        return int(signal.SIGINT)
    code = error.code if isinstance(error, SystemExit) else getattr(error, "exit_code", None)
    return max(0, code - FIRST_SIGNAL_EXIT) if isinstance(code, int) else 0


def is_interruption(error: BaseException) -> bool:
    """Whether a job stopped because a signal asked it to, so that it can go on later."""
    return get_stop_signal(error) > 0


def describe_exit(returncode: int) -> str:
    """How a worker process ended, as `killed by SIGKILL`."""
    if returncode >= 0:
        return f"worker exited with code {returncode}"
    try:
        return f"worker killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"worker killed by signal {-returncode}"


def wilson_lower_bound(hits: int, total: int) -> float:
    """Lower end of the 95 % interval of a share (Wilson, 1927, JASA 22:209)."""
    share, z2 = hits / total, Z_95**2
    centre = share + z2 / (2 * total)
    spread = Z_95 * (share * (1 - share) / total + z2 / (4 * total**2)) ** 0.5
    return float((centre - spread) / (1 + z2 / total))
