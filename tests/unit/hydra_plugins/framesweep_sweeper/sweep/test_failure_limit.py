import pytest
from scipy.stats import binomtest

from hydra_plugins.framesweep_sweeper._errors import FailedSweepError
from hydra_plugins.framesweep_sweeper.sweep._failure_limit import (
    FailureLimit,
    wilson_lower_bound,
)


@pytest.mark.parametrize(("hits", "total"), [(0, 5), (1, 1), (3, 9), (10, 10), (50, 120)])
def test_the_lower_bound_agrees_with_scipy(hits, total):
    low = binomtest(hits, total).proportion_ci(method="wilson").low
    assert wilson_lower_bound(hits, total) == pytest.approx(low, abs=1e-4)


def test_the_first_failures_alone_do_not_stop_a_sweep():
    limit = FailureLimit(max_rate=0.5, n_trials=100)
    for _ in range(3):
        limit.count_failure("x")
    with pytest.raises(FailedSweepError) as error:
        limit.count_failure("nan_loss: no")
    assert str(error.value) == (
        "4 of 4 trials failed, which is more than hydra.sweeper.max_failure_rate=0.5 allows; "
        "last: nan_loss: no"
    )


def test_a_share_of_failures_at_the_bound_never_stops_a_sweep():
    limit = FailureLimit(max_rate=0.5, n_trials=1000)
    for _ in range(300):
        limit.count_success()
        limit.count_failure("x")


def test_as_many_failures_as_the_total_stop_a_sweep_whatever_the_bound():
    limit = FailureLimit(max_rate=1.0, n_trials=2)
    limit.count_success()
    limit.count_failure("x")
    with pytest.raises(FailedSweepError, match="2 of 3 trials failed"):
        limit.count_failure("x")
