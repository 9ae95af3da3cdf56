"""Confidence intervals for comparisons over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isinf, sqrt
from statistics import fmean, stdev

from scipy import stats

CONFIDENCE_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """A mean with its 95 % confidence interval, `mean` plus and minus `half_width`."""

    mean: float
    half_width: float

    @property
    def excludes_zero(self) -> bool:
        """Return whether the mean differs from zero significantly, at the level of 5 %."""
        return abs(self.mean) > self.half_width

    def __str__(self) -> str:
        if isinf(self.half_width):
            return f"{self.mean:.4f} (a single value has no interval)"
        return f"{self.mean:.4f} ± {self.half_width:.4f}"


def estimate_mean(values: Sequence[float]) -> ConfidenceInterval:
    """Return the mean of normally distributed values with its Student's t interval.

    The half-width is t((1 + 0.95) / 2, n - 1) s / sqrt(n), where s is the standard deviation of
    the n values. It is infinite for a single value, which says nothing about the spread.
    """
    if len(values) < 2:
        return ConfidenceInterval(fmean(values), float("inf"))
    quantile = float(stats.t.ppf((1 + CONFIDENCE_LEVEL) / 2, df=len(values) - 1))
    return ConfidenceInterval(fmean(values), quantile * stdev(values) / sqrt(len(values)))


def estimate_paired_difference(
    first: Sequence[float], second: Sequence[float]
) -> ConfidenceInterval:
    """Return the interval of the mean of `first - second`, where pairs share a seed.

    Values with the same seed tend to vary together, so much of the variation between seeds
    cancels in the differences, and fewer seeds suffice to show that one is better.
    """
    return estimate_mean([a - b for a, b in zip(first, second, strict=True)])
