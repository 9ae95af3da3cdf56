"""Draws near the values of the config, compared with SciPy's truncated normal distribution."""

import math
import random

import numpy as np
import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import RandomSampler
from optuna.trial import create_trial
from scipy.stats import kstest, truncnorm

from hydra_plugins.framesweep_sweeper.search._history import HistorySampler
from hydra_plugins.framesweep_sweeper.search._known_points import ABSENT
from hydra_plugins.framesweep_sweeper.search._prior import (
    DEVIATION,
    PriorSampler,
    draw_near,
)

optuna.logging.set_verbosity(optuna.logging.ERROR)


def draw(distribution, default, count=1000):
    rng = random.Random(0)
    return [draw_near(distribution, default, rng) for _ in range(count)]


def expect(center):
    """Return the distribution of a draw, as a share of the key's range."""
    low, high = (0 - center) / DEVIATION, (1 - center) / DEVIATION
    return truncnorm(low, high, loc=center, scale=DEVIATION)


@pytest.mark.parametrize(("default", "center"), [(4.0, 0.5), (2.0, 0.0), (9.0, 1.0)])
def test_a_number_is_drawn_around_the_default_or_the_nearest_end(default, center):
    drawn = (np.array(draw(FloatDistribution(2.0, 6.0), default)) - 2) / 4
    assert kstest(drawn, expect(center).cdf).pvalue > 0.01


def test_a_number_on_a_log_scale_is_drawn_on_that_scale():
    drawn = np.log10(draw(FloatDistribution(1e-4, 1.0, log=True), 1e-3)) / 4 + 1
    assert kstest(drawn, expect(0.25).cdf).pvalue > 0.01


@pytest.mark.parametrize(
    "distribution",
    [
        FloatDistribution(0.0, 1.0, step=0.25),
        IntDistribution(2, 10, step=4),
        IntDistribution(1, 300, log=True),
        FloatDistribution(0.3, 0.3),
        FloatDistribution(1e-3, 0.7, log=True),
    ],
)
def test_what_is_drawn_is_in_the_space(distribution):
    for value in draw(distribution, 5, 200):
        assert distribution._contains(distribution.to_internal_repr(value))
        assert isinstance(value, int) == isinstance(distribution, IntDistribution)


def test_choices_that_are_numbers_are_drawn_in_their_order():
    choices = (20, 5, 10)  # 12 is nearest to 10, the middle third
    drawn = draw(CategoricalDistribution(choices), 12, 4000)
    edges = expect(0.5).cdf([0, 1 / 3, 2 / 3, 1])
    for value, share in zip((5, 10, 20), np.diff(edges), strict=True):
        assert drawn.count(value) / 4000 == pytest.approx(share, abs=0.03)


def test_other_choices_keep_the_default_half_of_the_time_and_more():
    drawn = draw(CategoricalDistribution(("adam", "sgd", "muon", "adamw")), "sgd", 4000)
    assert drawn.count("sgd") / 4000 == pytest.approx(0.5 + 0.5 / 4, abs=0.03)
    assert drawn.count("muon") / 4000 == pytest.approx(0.5 / 4, abs=0.03)


@pytest.mark.parametrize(
    ("distribution", "default"),
    [
        (CategoricalDistribution(("adam", "sgd")), "muon"),
        (CategoricalDistribution((1, 2)), "auto"),
        (FloatDistribution(0.0, 1.0), "auto"),
        (FloatDistribution(0.0, 1.0), True),
        (IntDistribution(0, 3), [1, 2]),
        (FloatDistribution(0.0, 1.0), math.nan),
    ],
)
def test_where_no_value_is_near_there_is_no_draw(distribution, default):
    assert draw(distribution, default, 1) == [ABSENT]


SPACE: dict[str, BaseDistribution] = {
    "x": FloatDistribution(0.0, 1.0),
    "y": FloatDistribution(0.0, 1.0),
}


def make_sampler(prior_trials=10, seed=7):
    return PriorSampler(RandomSampler(seed=1), {"x": 0.0}, prior_trials, seed)


def ask(study, count):
    return [study.ask(SPACE) for _ in range(count)]


def add_finished(study, count):
    for _ in range(count):
        study.add_trial(create_trial(params={"x": 0, "y": 0}, distributions=SPACE, value=0))


def mean_x(trials):
    return np.mean([trial.params["x"] for trial in trials])


def test_the_share_drawn_near_the_defaults_shrinks_with_the_results():
    near, uniform = expect(0.0).mean(), 0.5
    study = optuna.create_study(sampler=make_sampler())
    assert mean_x(ask(study, 300)) == pytest.approx(near, abs=0.03)
    add_finished(study, 10)
    assert mean_x(ask(study, 600)) == pytest.approx((near + uniform) / 2, abs=0.04)
    add_finished(study, 990)
    assert mean_x(ask(study, 300)) == pytest.approx(uniform, abs=0.05)


def test_the_history_of_another_study_counts_as_results():
    other = optuna.create_study()
    add_finished(other, 990)
    study = optuna.create_study(sampler=HistorySampler(make_sampler(), other.trials))
    assert mean_x(ask(study, 300)) == pytest.approx(0.5, abs=0.05)


def test_a_key_without_a_default_is_left_to_the_other_sampler():
    study = optuna.create_study(sampler=make_sampler())
    alone = optuna.create_study(sampler=RandomSampler(seed=1))
    space = {"y": SPACE["y"]}
    drawn = [trial.params["y"] for trial in ask(study, 5)]
    assert drawn == [alone.ask(space).params["y"] for _ in range(5)]


def test_no_prior_trials_leave_every_trial_to_the_other_sampler():
    study = optuna.create_study(sampler=make_sampler(prior_trials=0))
    alone = optuna.create_study(sampler=RandomSampler(seed=1))
    assert [t.params for t in ask(study, 5)] == [t.params for t in ask(alone, 5)]


def test_a_search_that_was_killed_draws_what_it_would_have_drawn():
    whole = optuna.create_study(sampler=make_sampler())
    expected = [trial.params["x"] for trial in ask(whole, 6)]
    resumed = optuna.create_study(sampler=make_sampler())
    drawn = [trial.params["x"] for trial in ask(resumed, 3)]
    resumed.sampler = make_sampler()  # a new process
    drawn += [trial.params["x"] for trial in ask(resumed, 3)]
    assert drawn == expected
    assert len(set(drawn)) == 6


def test_a_search_without_a_seed_draws_other_points_each_time():
    first, second = (optuna.create_study(sampler=make_sampler(seed=None)) for _ in range(2))
    assert ask(first, 1)[0].params["x"] != ask(second, 1)[0].params["x"]


def test_a_trial_that_ends_reaches_the_other_sampler(monkeypatch):
    ended = []
    monkeypatch.setattr(RandomSampler, "after_trial", lambda self, *args: ended.append(args))
    study = optuna.create_study(sampler=make_sampler())
    study.tell(ask(study, 1)[0], 0.5)
    assert len(ended) == 1
