"""Recorded trainings: how parameters find theirs, and the spaces that are searched."""

import pytest
from optuna.distributions import FloatDistribution

from framesweep.bench.search.table import load_table
from hydra_plugins.framesweep_sweeper.search._space_reader import read_space

POINT = {"model.width": 128, "model.dropout": 0.2, "optim.lr": 1e-2, "optim": "sgd"}


def test_a_training_is_found_at_its_levels(table) -> None:
    curve = table.look_up(POINT)
    assert curve.value == pytest.approx(0.6 + 0.05 - 0.04 - 0.03 - 0.1)
    assert curve.seconds == (2.0, 2.0, 2.0)


@pytest.mark.parametrize(("lr", "level"), [(2.9e-3, 1e-3), (3.4e-3, 1e-2), (0.5, 1e-2)])
def test_a_learning_rate_stands_for_the_nearest_level_on_a_log_scale(table, lr, level) -> None:
    assert table.look_up({**POINT, "optim.lr": lr}) == table.look_up(
        {**POINT, "optim.lr": level}
    )


def test_intervals_contain_each_level_with_half_a_step_above(table) -> None:
    space = read_space(table.list_sweeps(as_intervals=True), [])
    found = {d.key: d.distribution for d in space.searched}
    assert found["model.dropout"] == FloatDistribution(0.0, 0.5)
    lr = found["optim.lr"]
    assert isinstance(lr, FloatDistribution)
    assert lr.log
    assert lr.low < 1e-3
    assert lr.high > 1e-2


def test_a_grid_searches_the_levels(table) -> None:
    sweeps = table.list_sweeps(as_intervals=False)
    assert sweeps["model.dropout"] == "choice(0.0,0.2,0.4)"


def test_best_and_worst_are_those_of_whole_trainings(table) -> None:
    assert table.best == pytest.approx(0.65)
    assert table.worst == pytest.approx(0.6 - 0.08 - 0.03 - 0.1)
    assert table.mean_seconds == pytest.approx(4.5)


def test_the_table_in_the_package_is_complete_and_small() -> None:
    from importlib.resources import files

    table = load_table()
    assert table.accuracy.shape[:-1] == tuple(len(levels) for levels in table.axes.values())
    assert (table.accuracy > 0).all()
    assert (table.seconds > 0).all()
    file = files("framesweep.bench.search").joinpath("table.npz")
    assert len(file.read_bytes()) < 1_000_000
