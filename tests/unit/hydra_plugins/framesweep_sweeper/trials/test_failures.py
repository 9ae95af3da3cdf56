import signal

import pytest

from hydra_plugins.framesweep_sweeper.trials import _failures
from hydra_plugins.framesweep_sweeper.trials._failures import (
    classify_error,
    describe_exit,
    get_stop_signal,
    is_interruption,
    summarize_error,
)


class NonFiniteLossError(Exception): ...


class UncompletedJobError(Exception): ...


class WithReason(Exception):  # noqa: N818
    failure_reason = "its_own"


class Stopped(Exception):  # noqa: N818
    exit_code = 143


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), _failures.OUT_OF_MEMORY),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), _failures.OUT_OF_MEMORY),
        (RuntimeError("CUDA out of memory. Tried ..."), _failures.OUT_OF_MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), _failures.OUT_OF_MEMORY),
        (RuntimeError("shapes cannot be multiplied"), _failures.EXCEPTION),
        (FloatingPointError("nan"), _failures.NAN_LOSS),
        (NonFiniteLossError("loss"), _failures.NAN_LOSS),
        (ValueError("x"), _failures.EXCEPTION),
        (type("WorkerCrashedError", (Exception,), {})("ray"), _failures.KILLED),
        (UncompletedJobError("not requeued: timed-out too many times"), _failures.TIME_LIMIT),
        (UncompletedJobError("no output"), _failures.EXCEPTION),
        (WithReason(), "its_own"),
    ],
)
def test_errors_are_classified_by_what_went_wrong(error, reason):
    assert classify_error(error) == reason


def test_a_job_that_a_signal_stopped_is_interrupted_rather_than_failed():
    assert is_interruption(KeyboardInterrupt())
    assert is_interruption(SystemExit(130))
    assert is_interruption(Stopped())
    assert not is_interruption(SystemExit(1))
    assert not is_interruption(SystemExit("message"))
    assert not is_interruption(ValueError())
    assert get_stop_signal(Stopped()) == signal.SIGTERM


def test_an_error_is_summarized_in_one_line():
    assert summarize_error(ValueError("one\ntwo")) == "ValueError: one"
    assert summarize_error(ValueError()) == "ValueError"


def test_the_end_of_a_worker_is_described_by_its_signal_or_exit_code():
    assert describe_exit(-signal.SIGKILL) == "worker killed by SIGKILL"
    assert describe_exit(-99) == "worker killed by signal 99"
    assert describe_exit(3) == "worker exited with code 3"
