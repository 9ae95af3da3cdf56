import optuna
import pytest
from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from hydra_plugins.framesweep_sweeper.search._history import (
    HistorySampler,
    select_history,
    with_history,
)
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space

optuna.logging.set_verbosity(optuna.logging.ERROR)
SPACE = {"x": "interval(0.0,1.0)", "n": "choice(1,2,3)"}


def run(study, space, num_trials):
    """Run trials whose value is the distance of x from 0.9."""
    for _ in range(num_trials):
        trial = study.ask()
        space.suggest(trial, lambda key: None)
        trial.report(trial.params["x"], 1)
        study.tell(trial, abs(trial.params["x"] - 0.9))
    return study


@pytest.fixture
def source():
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    run(study, read_space(SPACE, []), 30)
    study.add_trial(optuna.trial.create_trial(state=TrialState.FAIL))
    return study


def test_trials_of_the_same_space_become_history(source):
    history = select_history(source, read_space(SPACE, []))
    assert [t.params for t in history] == [t.params for t in source.trials[:30]]
    assert [t.values for t in history] == [t.values for t in source.trials[:30]]
    assert {t.number for t in history} == {-1}
    assert all(t.intermediate_values == {1: t.params["x"]} for t in history)


def test_trials_outside_of_the_space_are_left_out(source):
    space = read_space({"x": "interval(0.5,1.0)", "n": "choice(2,3,4)"}, [])
    history = select_history(source, space)
    assert 0 < len(history) < 30
    assert all(t.params["x"] >= 0.5 and t.params["n"] in (2, 3) for t in history)
    assert history[0].distributions == {d.key: d.distribution for d in space.searched}


@pytest.mark.parametrize("params", [{"x": "interval(0.0,1.0)"}, SPACE | {"z": "choice(1,2)"}])
def test_trials_with_other_keys_are_left_out(source, params):
    assert not select_history(source, read_space(params, []))


def test_a_key_that_is_conditional_may_be_absent(source):
    space = read_space(SPACE | {"z": {"when": "n=4", "space": "choice(1,2)"}}, [])
    assert len(select_history(source, space)) == 30


def test_paired_values_are_kept():
    space = read_space({"x": "tag(zip,choice(0.1,0.2))", "n": "tag(zip,choice(1,2))"}, [])
    source = run(optuna.create_study(), space, 3)
    assert [t.params for t in select_history(source, space)] == [
        t.params for t in source.trials
    ]


@pytest.mark.parametrize("multivariate", [False, True])
def test_a_sampler_learns_from_history(source, multivariate):
    """Without it, the first points would be random; with it, they are near the optimum."""
    space = read_space(SPACE, [])
    history = select_history(source, space)
    make_sampler = with_history(
        lambda seed: TPESampler(seed=seed, multivariate=multivariate), history
    )
    study = run(optuna.create_study(sampler=make_sampler(1)), space, 6)
    assert sum(abs(t.params["x"] - 0.9) < 0.25 for t in study.trials) >= 4
    assert len(study.trials) == 6


def test_a_sampler_by_generations_runs_with_history(source):
    space = read_space(SPACE, [])
    sampler = HistorySampler(
        NSGAIISampler(population_size=2, seed=0), select_history(source, space)
    )
    assert len(run(optuna.create_study(sampler=sampler), space, 4).trials) == 4


def test_hyperband_shows_a_sampler_part_of_a_study_with_history(source):
    space = read_space(SPACE, [])
    sampler = HistorySampler(TPESampler(seed=0), select_history(source, space))
    pruner = optuna.pruners.HyperbandPruner(max_resource=9)
    study = optuna.create_study(sampler=sampler, pruner=pruner, study_name="s")
    assert len(run(study, space, 4).trials) == 4


def test_without_history_the_sampler_is_as_it_was():
    def make(num_begun):
        return TPESampler(seed=num_begun)

    assert with_history(make, []) is make


def test_history_keeps_by_how_much_constraints_were_violated():
    source, space = optuna.create_study(), read_space(SPACE, [])
    trial = source.ask()
    space.suggest(trial, lambda key: None)
    trial.set_constraint("model/params", 0.5)
    trial.storage.set_trial_system_attr(trial._trial_id, "other", 1)
    source.tell(trial, 1.0)
    (kept,) = select_history(source, space)
    assert kept.system_attrs == {"constraints:model/params": 0.5}
