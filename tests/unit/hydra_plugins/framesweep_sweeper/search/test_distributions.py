import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._distributions import (
    format_distribution,
    list_values,
    suggest_value,
)
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space

DISTRIBUTIONS = [
    CategoricalDistribution([1, 2.5, "x"]),
    IntDistribution(1, 9),
    IntDistribution(2, 10, step=4),
    IntDistribution(1, 1000, log=True),
    FloatDistribution(0.0, 0.5),
    FloatDistribution(1e-5, 0.1, log=True),
    FloatDistribution(0.0, 1.0, step=0.25),
]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_distribution_is_described_as_a_user_would_type_it(distribution):
    (dimension,) = read_space({}, [f"a={format_distribution(distribution)}"]).searched
    assert dimension.distribution == distribution


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_suggested_value_is_drawn_from_the_distribution_itself(distribution):
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    value = suggest_value(trial, "a", distribution)
    assert trial.distributions == {"a": distribution}
    assert distribution._contains(distribution.to_internal_repr(value))


def test_a_discrete_distribution_has_all_values_that_it_can_take():
    assert list_values("a", CategoricalDistribution(["x", "y"])) == ["x", "y"]
    assert list_values("a", IntDistribution(1, 7, step=3)) == [1, 4, 7]
    assert list_values("a", FloatDistribution(0.0, 0.5, step=0.5)) == [0.0, 0.5]


@pytest.mark.parametrize(
    "distribution", [FloatDistribution(0.0, 1.0), IntDistribution(1, 9, log=True)]
)
def test_values_of_a_continuous_distribution_are_refused(distribution):
    with pytest.raises(SweepError) as error:
        list_values("a", distribution)
    found = format_distribution(distribution)
    message = f"a: a grid needs choice(...) or range(...); found {found}"
    assert str(error.value) == message
