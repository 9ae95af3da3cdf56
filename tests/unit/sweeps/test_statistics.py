import math

import pytest
from scipy import stats

from framesweep.sweeps.statistics import interval, paired_difference


def test_interval_agrees_with_scipy():
    values = [0.61, 0.64, 0.58, 0.63, 0.60]
    low, high = stats.t.interval(
        0.95, len(values) - 1, loc=sum(values) / 5, scale=stats.sem(values)
    )
    found = interval(values)
    assert (found.mean - found.half, found.mean + found.half) == pytest.approx((low, high))


def test_one_value_tells_nothing():
    assert interval([0.5]).half == math.inf
    assert not interval([0.5]).excludes_zero


def test_pairs_are_compared_seed_by_seed():
    first, second = [0.60, 0.70, 0.80], [0.59, 0.69, 0.785]
    assert paired_difference(first, second).excludes_zero
    assert not paired_difference(first, list(reversed(second))).excludes_zero
