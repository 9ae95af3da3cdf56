import math
from typing import Any

import pytest
from omegaconf import OmegaConf
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import RandomSampler

from hydra_plugins.framesweep_sweeper.search._distributions import count_values
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space
from hydra_plugins.framesweep_sweeper.sweep.preview._search import (
    SearchPreview,
    describe_size,
    list_ends,
)
from hydra_plugins.framesweep_sweeper.trials._constraints import read_constraints

PARAMS = {
    "width": "choice(8, 32, 16)",
    "optim": "choice(adam, sgd)",
    "momentum": {"when": "optim=sgd", "space": "interval(0.5, 0.9)"},
    "depth": "tag(zip, choice(1, 2))",
    "lr": "tag(zip, choice(0.1, 0.2))",
}


class ParsedOverrides:
    """Composes a config of the overrides alone."""

    def __init__(self):
        self.config_loader = self

    def load_sweep_config(self, config, overrides):
        return OmegaConf.from_dotlist(overrides)


class Area:
    def size(self, config):
        return config.width * config.depth

    def metrics(self, config, names):
        return {"area": float(self.size(config))} if "area" in names else {}

    def estimate(self, extremes, num_trials, num_workers):
        return [f"{[dict(one) for one in extremes]} {num_trials} {num_workers}"]


@pytest.fixture
def preview():
    context: Any = ParsedOverrides()
    sweeper = {"preview": "${sweep.preview}"}
    config = OmegaConf.create({"hydra": {"runtime": {"choices": {}}, "sweeper": sweeper}})

    def preview(
        params,
        arguments,
        previewer,
        constraints=None,
        num_points=math.inf,
        notes=(),
        num_trials=20,
    ):
        space, sampler = read_space(params, arguments), RandomSampler(seed=0)
        bounds = read_constraints(constraints)
        search = SearchPreview(space, context, config, None, sampler, previewer, bounds)
        return list(search.describe(num_trials, num_points, 3, notes))

    return preview


def test_a_preview_shows_the_space_points_and_extremes(preview):
    lines = preview(PARAMS, ["seed=3", "sweep.preview=true"], Area())
    assert [" ".join(line.split()) for line in lines[:9]] == [
        "preview: nothing is run or written",
        "key values only when",
        "width choice(8, 32, 16)",
        "optim choice(adam, sgd)",
        "momentum interval(0.5, 0.9) optim=sgd",
        "depth tag(zip, choice(1, 2))",
        "lr tag(zip, choice(0.1, 0.2))",
        "size: 12 combinations, and momentum is continuous; 20 trials are to be run",
        "fixed: seed=3",
    ]
    points = lines[11:16]
    assert lines[9:11] == ["5 sampled points:", "  parameters"]
    assert len(set(points)) > 1
    assert all(("momentum=" in line) == ("optim=sgd" in line) for line in points)
    assert all(("depth=1" in line) == ("lr=0.1" in line) for line in points)
    smallest, largest, estimate = lines[16:]
    assert smallest.startswith("smallest: 8 parameters with width=8")
    assert largest.startswith("largest: 64 parameters with width=32")
    assert "'depth': 1" in estimate
    assert "'depth': 2" in estimate
    assert estimate.endswith("20 3")


@pytest.mark.parametrize(
    ("space", "num_trials", "size"),
    [
        ("interval(0.1, 0.5)", 1, "a is continuous; 1 trial is to be run"),
        ("choice(7)", 2, "1 point; 2 trials are to be run"),
    ],
)
def test_the_size_of_a_small_space_is_said_plainly(preview, space, num_trials, size):
    assert f"size: {size}" in preview({"a": space}, [], None, num_trials=num_trials)


def test_an_application_without_previewer_gets_the_points(preview):
    lines = preview({"a": "range(0, 10)"}, [], None)
    assert lines[3] == "size: 10 points; 20 trials are to be run"
    assert len(lines) == 4 + 1 + 5


def test_a_small_space_shows_each_of_its_points_once(preview):
    lines = preview({"a": "choice(1, 2)", "b": "choice(3, 3.5)"}, [], None)
    assert "4 sampled points:" in lines
    assert len({*lines[-4:]}) == 4
    lines = preview({"a": "choice(1)"}, [], None)
    assert lines[-2] == "1 sampled point:"


@pytest.mark.parametrize(
    ("distribution", "count", "ends"),
    [
        (CategoricalDistribution(["a", "b", "c"]), 3, ["a", "b", "c"]),
        (CategoricalDistribution([5, 30, 10]), 3, [5, 30]),
        (CategoricalDistribution([5]), 1, [5]),
        (IntDistribution(2, 8, step=3), 3, [2, 8]),
        (IntDistribution(4, 4), 1, [4]),
        (FloatDistribution(0.1, 0.4, step=0.1), 4, [0.1, 0.4]),
        (FloatDistribution(0.1, 0.4), math.inf, [0.1, 0.4]),
    ],
)
def test_each_distribution_is_counted_and_has_ends(distribution, count, ends):
    assert count_values(distribution) == count
    assert sorted(list_ends(distribution), key=str) == sorted(ends, key=str)


def test_a_conditional_space_has_at_most_the_points_of_its_product():
    params = {"a": "choice(1,2)", "b": {"when": "a=1", "space": "choice(1,2,3)"}}
    assert describe_size(read_space(params, [])) == "at most 6 points"


def test_points_that_violate_a_constraint_are_marked(preview):
    params = {"width": "choice(8, 32)", "depth": "choice(1)"}
    lines = preview(params, [], Area(), {"area": "<=16", "accuracy": ">=0.5"})
    assert "constraints: area<=16, accuracy>=0.5" in lines
    marked = [line for line in lines if "would not be run" in line]
    assert marked == [
        "  would not be run: width=32 depth=1: area<=16: found 32",
        "largest: 32 parameters with width=32 depth=1 (would not be run)",
    ]


def test_trials_that_repeat_others_take_no_time(preview):
    params = {"width": "choice(8, 32)", "depth": "choice(1)"}
    lines = preview(params, [], Area(), num_points=2, notes=["start from defaults: width=8"])
    assert lines[4:6] == [
        "size: 2 points; 20 trials are to be run, at least 18 of which repeat others",
        "start from defaults: width=8",
    ]
    assert lines[-1].endswith(" 2 3")
