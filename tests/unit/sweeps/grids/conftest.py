"""Grids whose points are known."""

import pytest

from configs import compose
from framesweep.config.composition import register
from framesweep.sweeps.grids.points import GridPoint
from framesweep.sweeps.grids.study import Grid

OVERRIDES = ["data.context=5,15,9", "model=small,wide", "train.epochs=2"]


@pytest.fixture
def make_grid(tmp_path):
    """Gives a grid in the outputs of the test."""
    register()

    def make(*overrides, folder="outputs/sweeps/g"):
        config = compose([f"outputs={tmp_path}/outputs", "tracking=none", *overrides])
        directory = tmp_path / folder
        directory.mkdir(parents=True, exist_ok=True)
        swept = {"data.context": "5,15,9", "model": "small,wide"}
        return Grid(
            id="1", config=config, directory=directory, overrides=OVERRIDES, swept=swept
        )

    return make


@pytest.fixture
def point(tmp_path):
    """Gives the point of a job with this context and these values."""

    def make(number, context, *values, failure="", is_refused=False):
        directory = tmp_path / "outputs" / "sweeps" / "g" / str(number)
        return GridPoint(
            grid="1",
            number=number,
            overrides=[f"data.context={context}", "model=wide", "train.epochs=2"],
            started=100.0 * number,
            ended=100.0 * number + 7,
            values=list(values) or None,
            failure=failure,
            directory=str(directory),
            is_refused=is_refused,
        )

    return make
