"""How sure a comparison over seeds is."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """A mean and its 95 % confidence interval, the mean plus and minus `half_width`."""

    mean: float
    half_width: float

    @property
    def excludes_zero(self) -> bool:
        return abs(self.mean) > self.half_width

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.half_width:.4f}"


def estimate_mean(values: Sequence[float]) -> ConfidenceInterval:
    """Student's t interval of the mean of normal values; infinite for a single one."""
    if len(values) < 2:
        return ConfidenceInterval(fmean(values), float("inf"))
    quantile = float(stats.t.ppf((1 + LEVEL) / 2, df=len(values) - 1))
    return ConfidenceInterval(fmean(values), quantile * stdev(values) / sqrt(len(values)))


def estimate_paired_difference(
    first: Sequence[float], second: Sequence[float]
) -> ConfidenceInterval:
    """Interval of the mean of first - second, each pair measured with one seed."""
    return estimate_mean([a - b for a, b in zip(first, second, strict=True)])
