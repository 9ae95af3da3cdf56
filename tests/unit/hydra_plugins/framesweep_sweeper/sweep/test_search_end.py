import math

import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.sweep._search_end import (
    STAGNATED_TRIALS,
    SearchEnd,
    read_stop_when,
)

UP, DOWN = StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE


def make_trials(*values):
    """Return trials with these values; one without is pruned."""
    trials = []
    for number, value in enumerate(values):
        state = TrialState.PRUNED if value is None else TrialState.COMPLETE
        space: dict[str, BaseDistribution] = {"x": FloatDistribution(0, 1)}
        trial = create_trial(state=state, value=value, params={"x": 0.5}, distributions=space)
        trial.number = number
        trials.append(trial)
    return trials


def test_without_limits_a_search_never_ends():
    end = SearchEnd(None, None, UP)
    assert end.explain(1e9, make_trials(*[0.5] * 99)) == ""
    assert end.seconds_left(1e9) == math.inf
    assert not end.reads_trials


def test_the_hours_are_those_of_the_whole_study():
    end = SearchEnd(2.0, None, UP)
    assert end.seconds_left(7000.0) == pytest.approx(200.0)
    assert end.explain(7199.0, []) == ""
    assert end.explain(7200.0, []) == "hydra.sweeper.max_hours=2 are over"
    assert end.seconds_left(9000.0) == 0.0


@pytest.mark.parametrize(
    ("direction", "goal", "before", "after"),
    [(UP, 0.7, 0.69, 0.7), (DOWN, 0.7, 0.71, 0.7), (DOWN, 0.0, 0.1, -0.1)],
)
def test_a_value_that_is_good_enough_ends_a_search(direction, goal, before, after):
    end = SearchEnd(None, goal, direction)
    assert end.explain(0.0, []) == ""
    assert end.explain(0.0, make_trials(None, before)) == ""
    reason = end.explain(0.0, make_trials(None, before, after, before))
    assert reason == f"hydra.sweeper.stop_when={goal:g} is reached"


def test_a_search_stagnates_by_its_pruned_trials_too():
    end = SearchEnd(None, "stagnated", UP)
    rest: list[float | None] = [None, 0.5] * (STAGNATED_TRIALS // 2)
    assert end.explain(0.0, make_trials(0.4, 0.5, *rest[:-1])) == ""
    assert "stagnated" in end.explain(0.0, make_trials(0.4, 0.5, *rest))
    assert end.explain(0.0, make_trials(0.4, 0.5, *rest, 0.6)) == ""


def test_trials_without_any_result_do_not_stagnate():
    end = SearchEnd(None, "stagnated", DOWN)
    assert end.explain(0.0, make_trials(*[None] * (2 * STAGNATED_TRIALS))) == ""


def test_stop_when_is_null_a_word_or_a_number():
    assert read_stop_when(None, 2) is None
    assert read_stop_when("stagnated", 1) == "stagnated"
    assert read_stop_when("0.75", 1) == read_stop_when(0.75, 1) == 0.75
    assert read_stop_when(1, 1) == 1.0


@pytest.mark.parametrize("value", ["stagnatd", True, float("nan"), "inf", [1, 2]])
def test_another_word_is_rejected(value):
    with pytest.raises(SweepError, match=r"hydra\.sweeper\.stop_when: must be stagnated, or"):
        read_stop_when(value, 1)


def test_several_objectives_have_no_value_to_stop_at():
    with pytest.raises(SweepError, match="must be null with several objectives"):
        read_stop_when(0.7, 2)
