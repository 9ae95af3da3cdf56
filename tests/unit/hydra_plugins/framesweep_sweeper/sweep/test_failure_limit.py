import math

import pytest
from optuna.trial import TrialState, create_trial
from scipy.stats import binomtest

from hydra_plugins.framesweep_sweeper._errors import FailedSweepError
from hydra_plugins.framesweep_sweeper.sweep._failure_limit import (
    FailureLimit,
    wilson_lower_bound,
)
from hydra_plugins.framesweep_sweeper.sweep._settings import LoopSettings


def limit_failures(max_rate=0.5, n_trials=100, num_points=math.inf):
    settings = LoopSettings(
        n_trials=n_trials,
        n_jobs=1,
        max_failure_rate=max_rate,
        repeat_duplicates=False,
        stop_seconds=1.0,
        num_points=num_points,
    )
    return FailureLimit(settings)


def failed(reason="a", message="b"):
    attrs = {"failure_reason": reason, "failure_message": message}
    return create_trial(state=TrialState.FAIL, user_attrs=attrs)


@pytest.mark.parametrize(("hits", "total"), [(0, 5), (1, 1), (3, 9), (10, 10), (50, 120)])
def test_the_lower_bound_agrees_with_scipy(hits, total):
    low = binomtest(hits, total).proportion_ci(method="wilson").low
    assert wilson_lower_bound(hits, total) == pytest.approx(low, abs=1e-4)


def test_the_first_failures_alone_do_not_stop_a_sweep():
    limit = limit_failures(0.5, 100)
    for _ in range(3):
        limit.count_failure(failed("exception", "x"))
        limit.require_few()
    limit.count_failure(failed("nan_loss", "no"))
    with pytest.raises(FailedSweepError) as error:
        limit.require_few()
    assert str(error.value) == (
        "4 of 4 trials failed, which is more than hydra.sweeper.max_failure_rate=0.5 allows; "
        "last: nan_loss: no"
    )


def test_a_share_of_failures_at_the_bound_never_stops_a_sweep():
    limit = limit_failures(0.5, 1000)
    for _ in range(300):
        limit.count_success()
        limit.count_failure(failed())
        limit.require_few()


def test_as_many_failures_as_the_total_stop_a_sweep_whatever_the_bound():
    limit = limit_failures(1.0, 2)
    limit.count_success()
    limit.count_failure(failed())
    limit.require_few()
    limit.count_failure(failed())
    found = "2 of 3 trials failed, which is as many as hydra.sweeper.n_trials=2; last: a: b"
    with pytest.raises(FailedSweepError, match=found):
        limit.require_few()


def test_a_sweep_ends_once_all_points_of_its_space_violate_a_constraint():
    limit = limit_failures(num_points=2)
    for _ in range(5):
        limit.count_rejection({"a": 1, "b": 2}, "size<=10: found 15")
    with pytest.raises(FailedSweepError, match=r"found that all 2 points violate them, "):
        limit.count_rejection({"b": 3, "a": 1}, "size<=10: found 15")


def test_a_sweep_ends_after_many_violations_in_a_row():
    limit = limit_failures()
    for x in range(500):
        limit.count_rejection({"x": x}, "size<=10: found 15")
    limit.count_success()
    for x in range(999):
        limit.count_rejection({"x": x}, "size<=10: found 15")
    found = r"found 1000 in a row that violate them, the last with size<=10: found 15\. Widen"
    with pytest.raises(FailedSweepError, match=found):
        limit.count_rejection({"x": 999}, "size<=10: found 15")
