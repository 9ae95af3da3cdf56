"""Trains the best trials of a study again with several seeds, and compares their means."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial


def compare_over_seeds(
    study: Study,
    trials: list[FrozenTrial],
    num_seeds: int,
    outputs: Path,
    uri: str | None,
    echo: Callable[[str], None],
) -> FrozenTrial:
    """Train each trial with several seeds, print the means, and return the best trial."""
    from optuna.study import StudyDirection

    from framesweep.runs.reruns import SeedRuns
    from framesweep.sweeps.context import PARENT_ATTR
    from framesweep.sweeps.statistics import estimate_mean, estimate_paired_difference
    from framesweep.sweeps.studies import get_trial_directory

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    folder = get_trial_directory(study, trials[0], outputs).parent
    runs = SeedRuns(folder, study.user_attrs.get(PARENT_ATTR), uri)
    # Not the seed of the search: its values are biased, since the best of them were selected.
    seeds = range(1000, 1000 + num_seeds)
    values = {trial.number: runs.measure(trial.number, seeds) for trial in trials}
    plural = "s" if num_seeds > 1 else ""
    echo(f"\nmean and 95 % confidence interval over {num_seeds} seed{plural}:")
    for number, measured in values.items():
        echo(f"  trial {number:<4} {estimate_mean(measured)}")
    sign = 1 if study.direction is StudyDirection.MAXIMIZE else -1
    order = sorted(trials, key=lambda t: -sign * estimate_mean(values[t.number]).mean)
    for other in order[1:]:
        difference = estimate_paired_difference(values[order[0].number], values[other.number])
        verdict = (
            "better than" if difference.excludes_zero else "not significantly different from"
        )
        echo(f"trial {order[0].number} is {verdict} trial {other.number}: {difference}")
    return order[0]
