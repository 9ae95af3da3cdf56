from collections import Counter
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
import yaml
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from hydra_plugins.framesweep_sweeper.sweep._results import (
    explain_no_best,
    find_best_trials,
    format_params,
    format_values,
    summarize_study,
    write_results,
)


def make_trial(state, values=None, x=0.5, **attrs):
    return create_trial(
        state=state,
        values=values,
        params={"x": x},
        distributions={"x": FloatDistribution(0, 1)},
        user_attrs=attrs,
        intermediate_values={1: 0.5} if state is TrialState.PRUNED else {},
    )


def make_study(*trials, directions=("maximize",)):
    study = optuna.create_study(directions=list(directions))
    study.add_trials(trials)
    return study


MIXED = (
    make_trial(TrialState.COMPLETE, [0.25], x=0.1),
    make_trial(TrialState.PRUNED),
    make_trial(TrialState.COMPLETE, [0.75], x=0.2),
    make_trial(TrialState.FAIL, failure_reason="nan_loss", failure_message="no"),
)


@pytest.fixture
def front():
    """A study of two objectives with a Pareto front, a dominated trial and a duplicate."""
    return make_study(
        make_trial(TrialState.COMPLETE, [1.0, 5.0]),
        make_trial(TrialState.COMPLETE, [2.0, 6.0]),
        make_trial(TrialState.COMPLETE, [0.5, 7.0]),
        make_trial(TrialState.COMPLETE, [1.0, 5.0], duplicate_of=0),
        directions=("maximize", "minimize"),
    )


def test_results_have_the_format_of_the_stock_sweeper(tmp_path):
    path = tmp_path / "optimization_results.yaml"
    write_results(make_study(*MIXED), path)
    assert yaml.safe_load(path.read_text()) == {
        "name": "optuna",
        "best_params": {"x": 0.2},
        "best_value": 0.75,
    }
    assert list(tmp_path.iterdir()) == [path]


def test_results_of_several_objectives_are_the_pareto_front(tmp_path, front):
    path = tmp_path / "optimization_results.yaml"
    write_results(front, path)
    solutions = yaml.safe_load(path.read_text())["solutions"]
    assert [s["values"] for s in solutions] == [[1.0, 5.0], [2.0, 6.0]]


def test_without_a_completed_trial_no_results_are_written(tmp_path):
    study = make_study(make_trial(TrialState.PRUNED), make_trial(TrialState.FAIL))
    assert write_results(study, tmp_path / "r.yaml") == []
    assert not (tmp_path / "r.yaml").exists()


def test_the_best_trial_is_the_lowest_if_the_study_minimizes():
    low = make_study(*MIXED, directions=("minimize",))
    assert [t.value for t in find_best_trials(low, low.trials)] == [0.25]


def test_of_equal_trials_the_first_is_the_best():
    study = make_study(MIXED[0], MIXED[0])
    assert [t.number for t in find_best_trials(study, study.trials)] == [0]


def summarize(study, total, n_jobs, seconds):
    return summarize_study(study, study.trials, total, n_jobs, seconds)


def test_a_summary_has_counts_the_best_and_the_time_left():
    line = summarize(make_study(*MIXED), 10, 2, 120.0).format_line()
    assert line == (
        "study: 3/10 done, 1 pruned, 1 failed, best 0.75 (trial 2), about 7 min left"
    )
    assert summarize(make_study(), 10, 2, None).format_line() == (
        "study: 0/10 done, 0 pruned, 0 failed, best -"
    )


def test_the_time_left_counts_the_trials_of_other_sweepers_and_ends_at_the_limit():
    trials = [*MIXED, *(make_trial(TrialState.RUNNING) for _ in range(7))]
    study = make_study(*trials)
    summary = summarize_study(study, study.trials, 10, 2, 120.0)
    assert summary.seconds_left == 120.0  # seven more in seven processes
    assert summarize_study(study, study.trials, 10, 2, 120.0, 60.0).seconds_left == 60.0
    assert summarize_study(study, study.trials, 10, 2, None, 60.0).seconds_left is None


def test_a_summary_of_several_objectives_counts_the_front(front):
    assert summarize(front, 4, 1, None).best == "2 on the Pareto front"


def test_values_are_shown_with_six_digits():
    trial = make_trial(TrialState.COMPLETE, [0.123456789, 7.0])
    assert format_values(trial) == "0.123457 / 7"


def test_completed_trials_that_violate_a_constraint_are_why_there_is_no_best_one():
    trial = SimpleNamespace(number=2, user_attrs={"violated": "speed>=9: found 3"})
    queue: Any = SimpleNamespace(
        count_states=lambda: Counter({TrialState.PRUNED: 1}),
        get_trials=lambda state: [trial] if state is TrialState.COMPLETE else [],
    )
    assert explain_no_best(queue) == (
        "none of 1 completed trials satisfies hydra.sweeper.constraints; trial 2: speed>=9: "
        "found 3. Widen the bounds and run more trials"
    )
    queue.get_trials = lambda state: []
    assert explain_no_best(queue) == "no trial was completed (1 pruned, 0 failed)"


@pytest.mark.parametrize("params", [{"x": 1}, {}])
def test_a_search_whose_hours_end_in_its_first_trial_says_how_to_continue(params):
    waiting = [SimpleNamespace(params=params)]
    queue: Any = SimpleNamespace(
        count_states=lambda: Counter({TrialState.WAITING: 1}),
        get_trials=lambda state: waiting if state is TrialState.WAITING else [],
    )
    fix = ". Raise hydra.sweeper.max_hours to continue those that have begun"
    expected = f"no trial was completed (0 pruned, 0 failed){fix if params else ''}"
    assert explain_no_best(queue) == expected


def test_the_numbers_of_parameters_have_four_digits_in_a_line():
    params = {"lr": 0.0073822521, "width": 512, "optim": "adam", "decay": 1e-5, "lines": None}
    assert format_params(params) == "lr=0.007382 width=512 optim=adam decay=1e-05 lines=None"
