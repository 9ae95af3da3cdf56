import optuna
import pytest
import yaml
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial
from scipy.stats import binomtest

from hydra_plugins.framesweep_sweeper.sweep._progress import (
    PlainProgress,
    describe_end,
    format_duration,
)
from hydra_plugins.framesweep_sweeper.sweep._results import (
    find_best_trials,
    summarize_study,
    write_results,
)
from hydra_plugins.framesweep_sweeper.trials._failures import wilson_lower_bound


def trial(state, values=None, x=0.5, **attrs):
    return create_trial(
        state=state,
        values=values,
        params={"x": x},
        distributions={"x": FloatDistribution(0, 1)},
        user_attrs=attrs,
        intermediate_values={1: 0.5} if state is TrialState.PRUNED else {},
    )


def study_of(*trials, directions=("maximize",)):
    study = optuna.create_study(directions=list(directions))
    study.add_trials(trials)
    return study


MIXED = (
    trial(TrialState.COMPLETE, [0.25], x=0.1),
    trial(TrialState.PRUNED),
    trial(TrialState.COMPLETE, [0.75], x=0.2),
    trial(TrialState.FAIL, failure_reason="nan_loss", failure_message="no"),
)


def test_results_are_those_of_the_stock_sweeper(tmp_path):
    path = tmp_path / "optimization_results.yaml"
    write_results(study_of(*MIXED), path)
    assert yaml.safe_load(path.read_text()) == {
        "name": "optuna",
        "best_params": {"x": 0.2},
        "best_value": 0.75,
    }
    front = study_of(
        trial(TrialState.COMPLETE, [1.0, 5.0]),
        trial(TrialState.COMPLETE, [2.0, 6.0]),
        trial(TrialState.COMPLETE, [0.5, 7.0]),
        directions=("maximize", "minimize"),
    )
    copy = trial(TrialState.COMPLETE, [1.0, 5.0], duplicate_of=0)
    front.add_trial(copy)
    write_results(front, path)
    solutions = yaml.safe_load(path.read_text())["solutions"]
    assert [s["values"] for s in solutions] == [[1.0, 5.0], [2.0, 6.0]]
    assert list(tmp_path.iterdir()) == [path]


def test_without_a_completed_trial_there_is_no_result(tmp_path):
    study = study_of(trial(TrialState.PRUNED), trial(TrialState.FAIL))
    assert write_results(study, tmp_path / "r.yaml") == []
    assert not (tmp_path / "r.yaml").exists()


def test_the_best_is_by_direction():
    low = study_of(*MIXED, directions=("minimize",))
    assert [t.value for t in find_best_trials(low, low.trials)] == [0.25]


def stand(study, total, n_jobs, seconds):
    return summarize_study(study, study.trials, total, n_jobs, seconds)


def test_standing_in_words():
    line = stand(study_of(*MIXED), 10, 2, 120.0).line()
    assert line == (
        "study: 3/10 done, 1 pruned, 1 failed, best 0.75 (trial 2), about 7 min left"
    )
    assert stand(study_of(), 10, 2, None).line() == (
        "study: 0/10 done, 0 pruned, 0 failed, best -"
    )


def test_plain_progress_says_each_standing_once(caplog):
    caplog.set_level("INFO")
    progress = PlainProgress()
    for study in (study_of(), study_of(*MIXED), study_of(*MIXED)):
        progress.update(stand(study, 4, 1, None), [None])
    assert [r.message[:15] for r in caplog.records] == ["study: 3/4 done"]


def test_how_trials_ended():
    lines = [describe_end(t, 61) for t in study_of(*MIXED).trials]
    assert lines == [
        "trial 0 complete: 0.25 in 1:01",
        "trial 1 pruned at step 1 in 1:01",
        "trial 2 complete: 0.75 in 1:01",
        "trial 3 failed: nan_loss: no",
    ]
    assert format_duration(3661) == "1:01:01"


@pytest.mark.parametrize(("hits", "total"), [(0, 5), (1, 1), (3, 9), (10, 10), (50, 120)])
def test_wilson_bound_agrees_with_scipy(hits, total):
    low = binomtest(hits, total).proportion_ci(method="wilson").low
    assert wilson_lower_bound(hits, total) == pytest.approx(low, abs=1e-4)
