"""The grid of recorded trainings, and the order in which they are recorded."""

import math

from configs import compose
from framesweep.bench.search.grid import ADDED, AXES, DEFAULTS, list_points, name_point
from framesweep.config.composition import register
from framesweep.config.networks.mlp import MlpConfig


def test_each_point_of_the_grid_is_trained_once() -> None:
    points = list_points()
    assert len(points) == math.prod(map(len, AXES.values())) == 864
    assert len(set(points)) == len(points)


def test_each_addition_of_a_level_completes_a_smaller_grid() -> None:
    points = list_points()
    sizes = []
    for count in range(1, len(points) + 1):
        levels = [set(column) for column in zip(*points[:count], strict=True)]
        if math.prod(map(len, levels)) == count:
            sizes.append(count)
    assert len(sizes) == 1 + len(ADDED)
    assert sizes[-1] == len(points)


def test_every_level_but_the_first_of_each_key_is_added() -> None:
    assert len(set(ADDED)) == len(ADDED)
    assert len(ADDED) == sum(len(levels) - 1 for levels in AXES.values())


def test_a_point_is_named_by_its_overrides() -> None:
    assert name_point(list_points()[0])[:2] == ["data.context=2", "model.width=64"]


def test_the_defaults_are_those_of_the_config_that_the_grid_varies():
    register()
    config = compose(["model=base", "optim=adam"])
    assert isinstance(config.model, MlpConfig)
    widths = config.model.widths
    assert {
        "data.context": config.data.context,
        "model.width": widths[0],
        "model.depth": len(widths),
        "model.dropout": config.model.dropout,
        "optim.lr": config.optim.lr,
        "optim": "adam",
    } == DEFAULTS
