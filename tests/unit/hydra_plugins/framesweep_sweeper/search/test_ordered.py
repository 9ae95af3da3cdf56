"""Samplers that see choices of numbers by their ranks."""

import math

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import TrialState, create_trial

from hydra_plugins.framesweep_sweeper.search._history import HistorySampler
from hydra_plugins.framesweep_sweeper.search._ordered import (
    OrderedSampler,
    find_choice,
    find_rank,
    is_ordered,
    rank_choices,
)

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

CONTEXTS = (15, 5, 50, 25)


def make_tpe(**settings) -> TPESampler:
    settings = {"multivariate": True, "group": True, "constant_liar": True, **settings}
    return TPESampler(seed=0, n_startup_trials=3, **settings)


def search(sampler: BaseSampler, num_trials: int, startup: Study | None = None) -> Study:
    study = startup or optuna.create_study(direction="maximize", sampler=sampler)

    def objective(trial: optuna.Trial) -> float:
        context = trial.suggest_categorical("context", CONTEXTS)
        name = trial.suggest_categorical("name", ["adam", "sgd", "muon"])
        rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
        if name == "sgd":  # a key that only some trials have
            trial.suggest_categorical("steps", [1, 2, 4])
        return -abs(context - 25) - abs(math.log10(rate) + 2) - (name == "adam")

    study.optimize(objective, num_trials)
    return study


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ((5, 15, 25), True),
        ((0.5, 1, 2), True),
        ((5, 15), False),
        (("a", "b", "c"), False),
        ((1, 2, "auto"), False),
        ((1, 2, None), False),
        ((False, True, 2), False),
        ((1, 2, float("nan")), False),
    ],
)
def test_three_numbers_have_an_order(choices, expected):
    assert is_ordered(CategoricalDistribution(choices)) is expected


def test_a_choice_of_numbers_is_its_rank_and_back():
    distribution = CategoricalDistribution(CONTEXTS)
    assert rank_choices(distribution) == IntDistribution(0, 3)
    ranks = [find_rank(distribution, choice) for choice in CONTEXTS]
    assert ranks == [1, 0, 3, 2]
    assert [find_choice(distribution, rank) for rank in ranks] == list(CONTEXTS)


def test_other_distributions_and_their_values_stay_as_they_are():
    for distribution, value in (
        (CategoricalDistribution(("a", "b", "c")), "b"),
        (FloatDistribution(0, 1), 0.5),
        (IntDistribution(0, 9), 4),
    ):
        assert rank_choices(distribution) is distribution
        assert find_choice(distribution, value) == value


@pytest.mark.parametrize(
    "settings", [{}, {"group": False}, {"multivariate": False, "group": False}]
)
def test_a_study_has_the_choices_themselves(settings):
    study = search(OrderedSampler(make_tpe(**settings)), 12)
    assert len(study.trials) == 12
    for trial in study.trials:
        assert trial.state is TrialState.COMPLETE
        assert trial.params["context"] in CONTEXTS
        assert trial.distributions["context"] == CategoricalDistribution(CONTEXTS)
    assert any("steps" in trial.params for trial in study.trials)


def test_a_sampler_learns_from_ranks_as_from_integers():
    """The oracle is a search whose space consists of the ranks themselves."""
    sampled = search(OrderedSampler(make_tpe()), 20)
    ranked = optuna.create_study(direction="maximize", sampler=make_tpe())

    def objective(trial: optuna.Trial) -> float:
        context = sorted(CONTEXTS)[trial.suggest_int("context", 0, len(CONTEXTS) - 1)]
        name = trial.suggest_categorical("name", ["adam", "sgd", "muon"])
        rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
        if name == "sgd":
            [1, 2, 4][trial.suggest_int("steps", 0, 2)]
        return -abs(context - 25) - abs(math.log10(rate) + 2) - (name == "adam")

    ranked.optimize(objective, 20)
    assert [t.value for t in sampled.trials] == [t.value for t in ranked.trials]


def test_without_numbers_a_search_is_the_same():
    def objective(trial: optuna.Trial) -> float:
        name = trial.suggest_categorical("name", ["a", "b", "c"])
        return trial.suggest_float("x", 0, 1) + (name == "b")

    studies = []
    for sampler in (make_tpe(), OrderedSampler(make_tpe())):
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.optimize(objective, 15)
        studies.append([trial.params for trial in study.trials])
    assert studies[0] == studies[1]


def test_a_running_trial_is_seen_by_its_rank_before_and_after_it_has_values():
    study = optuna.create_study(direction="maximize")
    search(OrderedSampler(make_tpe()), 5, study)
    shown = OrderedSampler(RandomSampler()).show(study)
    running = study.ask()
    assert shown.get_trials(deepcopy=False)[-1].params == {}
    value = running.suggest_categorical("context", CONTEXTS)
    assert shown.get_trials(deepcopy=False)[-1].params == {
        "context": sorted(CONTEXTS).index(value)
    }


def test_a_trial_that_has_ended_is_converted_once():
    study = search(RandomSampler(seed=0), 5)
    shown = OrderedSampler(make_tpe()).show(study)
    first, second = (shown.get_trials(deepcopy=False) for _ in range(2))
    assert all(a is b for a, b in zip(first, second, strict=True))
    assert [t.params["context"] for t in study.trials] != [t.params["context"] for t in first]


def test_trials_of_another_study_are_not_confused_with_each_other():
    history = [
        create_trial(
            value=float(context),
            params={"context": context},
            distributions={"context": CategoricalDistribution(CONTEXTS)},
        )
        for context in CONTEXTS
    ]
    study = optuna.create_study()
    with_history = HistorySampler(RandomSampler(), history).show(study)
    shown = OrderedSampler(make_tpe()).show(with_history)
    assert [t.params["context"] for t in shown.get_trials(deepcopy=False)] == [1, 0, 3, 2]
