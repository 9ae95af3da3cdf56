"""How sure a comparison over seeds is."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its 95 % confidence interval, the mean plus and minus `half`."""

    mean: float
    half: float

    @property
    def excludes_zero(self) -> bool:
        return abs(self.mean) > self.half

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.half:.4f}"


def interval(values: Sequence[float]) -> Interval:
    """Student's t interval of the mean of normal values; infinite for a single one."""
    if len(values) < 2:
        return Interval(fmean(values), float("inf"))
    quantile = float(stats.t.ppf((1 + LEVEL) / 2, df=len(values) - 1))
    return Interval(fmean(values), quantile * stdev(values) / sqrt(len(values)))


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Interval:
    """Interval of the mean of first - second, each pair measured with one seed."""
    return interval([a - b for a, b in zip(first, second, strict=True)])
