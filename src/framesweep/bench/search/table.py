"""The recorded trainings, and the search spaces that are searched on them."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TABLE = "table.npz"

CONTINUOUS = {"model.dropout": "linear", "optim.lr": "log"}
"""Keys that are searched as intervals. A value stands for the nearest level, on the scale given
here."""


@dataclass(frozen=True)
class Curve:
    """A recorded training.

    Attributes:
        accuracies: dev accuracy after each epoch.
        seconds: CPU seconds of each epoch.
    """

    accuracies: tuple[float, ...]
    seconds: tuple[float, ...]

    @property
    def value(self) -> float:
        """The objective: the accuracy in the best epoch."""
        return max(self.accuracies)


@dataclass(frozen=True)
class RecordedTable:
    """A complete grid of trainings.

    Attributes:
        axes: the keys of the grid, each with its levels.
        accuracy, seconds: arrays whose axes are the keys' levels and then the epochs.
    """

    axes: dict[str, list[Any]]
    accuracy: NDArray[np.float32]
    seconds: NDArray[np.float32]

    @cached_property
    def best(self) -> float:
        """The best objective of any training."""
        return float(self.accuracy.max())

    @cached_property
    def worst(self) -> float:
        """The worst objective of any training."""
        return float(self.accuracy.max(axis=-1).min())

    @cached_property
    def mean_seconds(self) -> float:
        """The mean time of a training."""
        return float(self.seconds.sum(axis=-1).mean())

    def look_up(self, params: Mapping[str, Any]) -> Curve:
        """Return the training at the levels that are nearest to `params`."""
        index = tuple(
            _find_level(key, levels, params[key]) for key, levels in self.axes.items()
        )
        return Curve(
            tuple(map(float, self.accuracy[index])), tuple(map(float, self.seconds[index]))
        )

    def list_sweeps(self, *, as_intervals: bool) -> dict[str, str]:
        """Return the search space as `hydra.sweeper.params`.

        Args:
            as_intervals: whether the keys in CONTINUOUS are searched as intervals, in which
                each level has about the same share, or as choices of their levels.
        """
        return {
            key: _write_interval(levels, CONTINUOUS[key])
            if as_intervals and key in CONTINUOUS and len(levels) > 1
            else f"choice({','.join(map(str, levels))})"
            for key, levels in self.axes.items()
        }


def load_table(path: Path | None = None) -> RecordedTable:
    """Return the table in the file `path`, or the one that framesweep brings along."""
    source = files(__package__).joinpath(TABLE) if path is None else path
    with source.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        axes = json.loads(str(arrays["axes"]))
        return RecordedTable(axes, arrays["accuracy"], arrays["seconds"])


def _find_level(key: str, levels: list[Any], value: Any) -> int:
    if key not in CONTINUOUS:
        return levels.index(value)
    scale = math.log if CONTINUOUS[key] == "log" else float
    return min(range(len(levels)), key=lambda i: abs(scale(levels[i]) - scale(value)))


def _write_interval(levels: list[float], scale: str) -> str:
    """Return an interval that reaches half a step beyond the lowest and the highest level."""
    low, high = min(levels), max(levels)
    if scale == "log":
        factor = (high / low) ** (0.5 / (len(levels) - 1))
        return f"tag(log,interval({low / factor:.3g},{high * factor:.3g}))"
    # A share below 0 does not exist, so the lowest level has only half of its share.
    return f"interval({low},{high + (high - low) / (len(levels) - 1) / 2:.3g})"
