"""Confidence intervals agree with SciPy, and pairs are compared seed by seed."""

import math

import pytest
from scipy import stats

from framesweep.sweeps.statistics import estimate_mean, estimate_paired_difference


def test_the_interval_agrees_with_scipy():
    values = [0.61, 0.64, 0.58, 0.63, 0.60]
    low, high = stats.t.interval(
        0.95, len(values) - 1, loc=sum(values) / 5, scale=stats.sem(values)
    )
    found = estimate_mean(values)
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx(
        (low, high)
    )


def test_the_interval_of_a_single_value_is_infinite():
    assert estimate_mean([0.5]).half_width == math.inf
    assert str(estimate_mean([0.5])) == "0.5000 (a single value has no interval)"
    assert not estimate_mean([0.5]).excludes_zero


def test_differences_are_taken_within_pairs():
    first, second = [0.60, 0.70, 0.80], [0.59, 0.69, 0.785]
    assert estimate_paired_difference(first, second).excludes_zero
    assert not estimate_paired_difference(first, list(reversed(second))).excludes_zero
