"""Trains the best trials of a study again with several seeds, and compares their means."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from framesweep.sweeps.statistics import ConfidenceInterval


@dataclass(frozen=True, slots=True)
class SeedComparison:
    """What several seeds say about the trials of a study.

    Attributes:
        best: the trial with the best mean.
        means: trial number -> the mean of its values.
        differences: number of another trial -> the mean by which the best one exceeds it.
    """

    best: FrozenTrial
    means: dict[int, ConfidenceInterval]
    differences: dict[int, ConfidenceInterval]

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON can hold it."""
        return {
            "means": [{"trial": number, **asdict(mean)} for number, mean in self.means.items()],
            "differences": [
                {
                    "trial": self.best.number,
                    "other": number,
                    **asdict(difference),
                    "is_significant": difference.excludes_zero,
                }
                for number, difference in self.differences.items()
            ],
        }


def compare_over_seeds(
    study: Study,
    trials: list[FrozenTrial],
    num_seeds: int,
    outputs: Path,
    uri: str | None,
    echo: Callable[[str], None],
) -> SeedComparison:
    """Train each trial with several seeds, and print and return how they compare."""
    from optuna.study import StudyDirection

    from framesweep.sweeps.statistics import estimate_mean, estimate_paired_difference

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    values = _measure(study, trials, num_seeds, outputs, uri)
    plural = "s" if num_seeds > 1 else ""
    echo(f"\nmean and 95 % confidence interval over {num_seeds} seed{plural}:")
    means = {number: estimate_mean(measured) for number, measured in values.items()}
    for number, mean in means.items():
        echo(f"  trial {number:<4} {mean}")
    sign = 1 if study.direction is StudyDirection.MAXIMIZE else -1
    order = sorted(trials, key=lambda t: -sign * means[t.number].mean)
    best, differences = order[0], {}
    for other in order[1:]:
        difference = estimate_paired_difference(values[best.number], values[other.number])
        differences[other.number] = difference
        verdict = (
            "better than" if difference.excludes_zero else "not significantly different from"
        )
        echo(f"trial {best.number} is {verdict} trial {other.number}: {difference}")
    return SeedComparison(best, means, differences)


def _measure(
    study: Study, trials: list[FrozenTrial], num_seeds: int, outputs: Path, uri: str | None
) -> dict[int, list[float]]:
    """Return the objective of each trial, by its number, for each seed."""
    from framesweep.runs.reruns import SeedRuns
    from framesweep.sweeps.context import PARENT_ATTR
    from framesweep.sweeps.studies import get_study_directory, get_trial_directory

    folder = get_study_directory(study, outputs)
    runs = SeedRuns(folder, study.user_attrs.get(PARENT_ATTR), uri)
    # Not the seed of the search: its values are biased, since the best of them were selected.
    seeds = range(1000, 1000 + num_seeds)
    folders = {trial.number: get_trial_directory(study, trial, outputs) for trial in trials}
    return {number: runs.measure(number, folder, seeds) for number, folder in folders.items()}
