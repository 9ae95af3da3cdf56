"""Pruning trials that would not become the best with the gain that others had."""

import math
import random
import statistics
from typing import Literal

import optuna
import pytest
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from hydra_plugins.framesweep_sweeper.search._extrapolation import (
    ExtrapolationPruner,
    Gains,
)


def make_study(
    *curves: list[float], direction: Literal["maximize", "minimize"] = "maximize"
) -> Study:
    study = optuna.create_study(direction=direction)
    best = max if direction == "maximize" else min
    for curve in curves:
        study.add_trial(make_trial(curve, TrialState.COMPLETE, best(curve)))
    return study


def make_trial(
    curve: list[float],
    state: TrialState = TrialState.RUNNING,
    value: float | None = None,
    **attrs,
) -> FrozenTrial:
    return create_trial(
        state=state,
        value=value,
        intermediate_values=dict(enumerate(curve, start=1)),
        system_attrs=attrs,
    )


THREE = ([0.3, 0.4, 0.5], [0.2, 0.3, 0.4], [0.1, 0.2, 0.3])
"""Curves that all gain 0.2 after the first step, and of which the best reaches 0.5."""


@pytest.mark.parametrize(("value", "expected"), [(0.29, True), (0.31, False)])
def test_a_trial_is_stopped_if_the_gain_of_others_is_too_little(value, expected):
    study = make_study(*THREE)
    assert ExtrapolationPruner().prune(study, make_trial([value])) is expected


@pytest.mark.parametrize(("value", "expected"), [(0.29, False), (0.31, True)])
def test_a_minimized_value_is_compared_in_the_other_direction(value, expected):
    curves = ([0.3, 0.2, 0.1], [0.4, 0.3, 0.2], [0.5, 0.4, 0.3])
    study = make_study(*curves, direction="minimize")
    assert ExtrapolationPruner().prune(study, make_trial([value])) is expected


def test_the_margin_is_the_deviation_of_another_gain():
    gains = [0.1, 0.25, 0.15]
    study = make_study(*([0.4 - gain, 0.4] for gain in gains))
    spread = statistics.stdev(gains) * math.sqrt(1 + 1 / 3)
    for deviations in (0.0, 0.5, 1.0, 2.0):
        most = statistics.fmean(gains) + deviations * spread
        pruner = ExtrapolationPruner(deviations=deviations)
        assert pruner.prune(study, make_trial([0.4 - most - 1e-6]))
        assert not pruner.prune(study, make_trial([0.4 - most + 1e-6]))


def test_a_trial_above_the_median_is_stopped_and_one_below_goes_on_if_it_can_catch_up():
    steady = make_study([0.5, 0.5], [0.2, 0.2], [0.1, 0.1], [0.1, 0.1])
    assert ExtrapolationPruner().prune(steady, make_trial([0.4]))
    uneven = make_study([0.3, 0.5], [0.3, 0.3], [0.0, 0.45], [0.3, 0.4])
    assert not ExtrapolationPruner().prune(uneven, make_trial([0.2]))


def test_the_best_value_so_far_counts_rather_than_the_last():
    study = make_study(*THREE)
    assert not ExtrapolationPruner().prune(study, make_trial([0.45, 0.1]))
    assert ExtrapolationPruner().prune(study, make_trial([0.35, 0.1]))


def test_no_trial_is_stopped_before_enough_are_complete():
    study = make_study(*THREE[:2])
    assert not ExtrapolationPruner().prune(study, make_trial([0.0]))
    assert ExtrapolationPruner(n_startup_trials=2).prune(study, make_trial([0.0]))


def test_no_trial_is_stopped_at_its_last_step_or_before_its_first():
    study = make_study(*THREE)
    assert not ExtrapolationPruner().prune(study, make_trial([0.1, 0.1, 0.1]))
    assert not ExtrapolationPruner().prune(study, make_trial([]))


def test_pruned_and_failed_trials_are_not_compared_with():
    study = make_study(*THREE)
    study.add_trial(make_trial([0.9, 0.9], TrialState.PRUNED))
    study.add_trial(make_trial([0.9, 0.9], TrialState.FAIL))
    assert not ExtrapolationPruner().prune(study, make_trial([0.31]))


def test_a_trial_that_violates_a_constraint_is_not_the_best():
    study = make_study(*THREE)
    violating = {"constraints:speed": 1.0}
    study.add_trial(make_trial([0.7, 0.8, 0.9], TrialState.COMPLETE, 0.9, **violating))
    assert not ExtrapolationPruner().prune(study, make_trial([0.31]))
    satisfying = {"constraints:speed": -1.0}
    study.add_trial(make_trial([0.7, 0.8, 0.9], TrialState.COMPLETE, 0.9, **satisfying))
    assert ExtrapolationPruner().prune(study, make_trial([0.31]))


def test_a_value_that_is_no_number_counts_as_none():
    study = make_study(*THREE)
    assert not ExtrapolationPruner().prune(study, make_trial([math.nan]))
    study.add_trial(make_trial([math.nan, 0.4, 0.5], TrialState.COMPLETE, 0.5))
    assert ExtrapolationPruner().prune(study, make_trial([0.29]))


def test_trials_that_end_later_are_taken_into_account():
    study, pruner = make_study(*THREE), ExtrapolationPruner()
    assert not pruner.prune(study, make_trial([0.31]))
    study.add_trial(make_trial([0.4, 0.5, 0.6], TrialState.COMPLETE, 0.6))
    assert pruner.prune(study, make_trial([0.31]))
    assert pruner.prune(study, make_trial([0.1, 0.39]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_startup_trials": 1}, "n_startup_trials: must be at least 2; found 1"),
        ({"deviations": -0.1}, "deviations: must be at least 0; found -0.1"),
        ({"deviations": math.nan}, "deviations: must be at least 0; found nan"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ExtrapolationPruner(**arguments)


def test_mean_and_deviation_of_added_numbers_are_those_of_all():
    rng, gains = random.Random(0), Gains()
    numbers = [1e6 + rng.gauss(0, 1) for _ in range(100)]
    for number in numbers:
        gains.add(number)
    assert gains.mean == pytest.approx(statistics.fmean(numbers))
    spread = statistics.stdev(numbers) * math.sqrt(1 + 1 / 100)
    assert gains.predict_most(2.0) - gains.mean == pytest.approx(2 * spread)
