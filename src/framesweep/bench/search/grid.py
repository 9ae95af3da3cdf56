"""The grid of trainings that `framesweep bench --search` has a recording of."""

from itertools import product

NUM_EPOCHS = 6
"""Epochs of each training."""

AXES: dict[str, tuple[float | str, ...]] = {
    "data.context": (2, 6, 12, 20),
    "model.width": (64, 160, 400),
    "model.depth": (1, 2, 4),
    "model.dropout": (0.0, 0.2, 0.4),
    "optim.lr": (2e-4, 1e-3, 5e-3, 2.5e-2),
    "optim": ("adam", "sgd"),
}
"""The keys of the grid, each with its levels."""

ADDED = (
    *(("optim.lr", 2), ("data.context", 2), ("model.width", 1), ("model.depth", 1)),
    *(("model.dropout", 1), ("optim", 1), ("optim.lr", 3), ("model.width", 2)),
    *(("data.context", 3), ("model.depth", 2), ("optim.lr", 0), ("model.dropout", 2)),
    ("data.context", 1),
)
"""Levels in the order in which they are added to the grid.

The grid starts with the first level of each key, except that the learning rate starts with its
second level and the context with its first.
"""

DEFAULTS: dict[str, float | str] = {
    "data.context": 25,
    "model.width": 1024,
    "model.depth": 4,
    "model.dropout": 0.2,
    "optim.lr": 1e-3,
    "optim": "adam",
}
"""What `model=base optim=adam`, which the recorded trainings vary, has for these keys.

Some are outside of the grid, which is of smaller networks. A search may know them, as it knows
the values of the config that it varies. They were chosen before anything was recorded."""

Point = tuple[float | str, ...]
"""A value of each key, in the order of AXES."""


def list_points() -> list[Point]:
    """Return all points, ordered so that each addition of a level completes a smaller grid.

    A recording that is stopped early can therefore be cut to a complete grid of fewer levels.
    """
    added = {(key, AXES[key][index]): rank for rank, (key, index) in enumerate(ADDED, start=1)}

    def rank(point: Point) -> int:
        return max(added.get(item, 0) for item in zip(AXES, point, strict=True))

    return sorted(product(*AXES.values()), key=rank)


def name_point(point: Point) -> list[str]:
    """Return the overrides of a point, as `train.py` accepts them."""
    return [f"{key}={value}" for key, value in zip(AXES, point, strict=True)]
