import math
from functools import partial

import optuna
import pytest
from optuna.samplers import GridSampler, NSGAIISampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from hydra_plugins.framesweep_sweeper.search._bounded_history import (
    BoundedSampler,
    choose_positions,
    with_bound,
)

optuna.logging.set_verbosity(optuna.logging.ERROR)
MINIMIZE, MAXIMIZE = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE


def keep(sampler, _num_trials):
    return sampler


def make_tpe():
    return TPESampler(multivariate=True, constant_liar=True, n_startup_trials=5, seed=1)


def run(sampler, num_trials):
    """Return the points of a study, with a running trial and a pruned one at a time."""
    study = optuna.create_study(sampler=sampler)
    trials = []
    for number in range(num_trials):
        trial = study.ask()
        x, n = trial.suggest_float("x", 0, 1), trial.suggest_int("n", 1, 9)
        trial.report(x, 1)
        trials.append(trial)
        if number % 4 == 3:
            study.tell(trials.pop(0), state=TrialState.PRUNED)
        elif number > 2:
            study.tell(trials.pop(0), (x - 0.3) ** 2 + n)
    return [trial.params for trial in study.trials]


def test_up_to_the_bound_the_points_are_the_same():
    plain, bounded = run(make_tpe(), 40), run(BoundedSampler(make_tpe(), 20), 40)
    assert bounded[:23] == plain[:23]  # of which 20 have ended
    assert bounded[23:] != plain[23:]


def make_trials(values, states=None):
    states = states or [TrialState.COMPLETE] * len(values)
    return [
        create_trial(state=state, values=value)
        for state, value in zip(states, values, strict=True)
    ]


@pytest.mark.parametrize(("direction", "best"), [(MINIMIZE, [0, 1]), (MAXIMIZE, [4, 5])])
def test_half_of_the_bound_is_for_the_best_and_half_for_the_latest(direction, best):
    trials = make_trials([[float(i)] for i in range(6)] + [[2.5], [2.5]])
    assert choose_positions(trials, [direction], 4) == [*best, 6, 7]


def test_trials_that_are_infeasible_or_have_no_value_are_not_the_best():
    values = [[-math.inf], [0.0], [1.0], None, [5.0], [6.0], [7.0], [8.0]]
    states = [TrialState.COMPLETE] * 8
    states[3] = TrialState.PRUNED
    trials = make_trials(values, states)
    trials[1].system_attrs["constraints:size"] = 0.5
    assert choose_positions(trials, [MINIMIZE], 4) == [0, 2, 6, 7]


def test_each_objective_has_its_best():
    trials = make_trials([[0.0, 0.0], [1.0, 9.0], [2.0, 5.0], [3.0, 3.0], [4.0, 4.0]])
    assert choose_positions(trials, [MINIMIZE, MAXIMIZE], 4) == [0, 1, 3, 4]


def test_a_study_of_several_objectives_can_be_bounded():
    study = optuna.create_study(
        directions=["minimize", "maximize"],
        sampler=BoundedSampler(TPESampler(n_startup_trials=2, seed=0), 8),
    )
    for _ in range(20):
        trial = study.ask()
        x = trial.suggest_float("x", 0, 1)
        study.tell(trial, [x, x])
    assert len(study.trials) == 20


def test_only_tpe_is_bounded():
    for sampler in (NSGAIISampler(seed=0), GridSampler({"x": [1]})):
        assert with_bound(partial(keep, sampler), 100)(0) is sampler
    assert isinstance(with_bound(lambda _: make_tpe(), 100)(0), BoundedSampler)
