import pytest
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from hydra_plugins.framesweep_sweeper.search._known_points import (
    ABSENT,
    find_value,
    look_up,
    match_point,
)
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space


@pytest.mark.parametrize(
    ("distribution", "value", "found"),
    [
        (CategoricalDistribution(["adam", "sgd"]), "sgd", "sgd"),
        (CategoricalDistribution(["adam", "sgd"]), "lion", ABSENT),
        (CategoricalDistribution(["[512,256]", "[1024]"]), [512, 256], "[512,256]"),
        (CategoricalDistribution([5, 10]), 10.0, 10),
        (CategoricalDistribution([1e-3, 1e-2]), 0.001, 1e-3),
        (CategoricalDistribution([True, False]), True, True),
        (CategoricalDistribution([True, False]), 1, ABSENT),
        (CategoricalDistribution(["none", "null"]), None, "null"),
        (IntDistribution(2, 8, step=3), 5, 5),
        (IntDistribution(2, 8, step=3), 6, ABSENT),
        (IntDistribution(2, 8, step=3), 9, ABSENT),
        (IntDistribution(64, 2048, log=True), 100, 100),
        (IntDistribution(0, 8), True, ABSENT),
        (IntDistribution(0, 8), None, ABSENT),
        (IntDistribution(0, 8), 1.5, ABSENT),
        (FloatDistribution(0.0, 0.5), 0, 0.0),
        (FloatDistribution(0.0, 0.5, step=0.1), 0.3, 0.3),
        (FloatDistribution(0.0, 0.5, step=0.1), 0.25, ABSENT),
        (FloatDistribution(1e-4, 1e-2, log=True), 0.1, ABSENT),
    ],
)
def test_a_value_is_found_in_the_type_of_the_space(distribution, value, found):
    assert find_value(distribution, value) == found
    assert type(find_value(distribution, value)) is type(found)


def test_a_point_is_matched_key_by_key():
    params = {
        "+a": "choice(1,2)",
        "b": "interval(0.0,1.0)",
        "c": "choice(x,y)",
        "d": "tag(zip,choice(1,2))",
        "e": "tag(zip,choice(u,v))",
    }
    lookup = look_up({"a": 2, "b": 3.0, "d": 1, "e": "v", "other": 1})
    assert match_point(read_space(params, ["f=1"]), lookup) == ({"+a": 2, "d": 1}, {"b": 3.0})
