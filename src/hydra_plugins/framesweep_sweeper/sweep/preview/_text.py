"""What a sweep would run, as text: its space, its size, a few points, and what they cost.

This module imports no Optuna, so that a grid can use it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from omegaconf import DictConfig

from hydra_plugins.framesweep_sweeper._hydra import instantiate_own

T = TypeVar("T")

NUM_POINTS = 5
"""Number of sampled points that a preview shows."""


class Previewer(Protocol):
    """Describes the jobs of a sweep for its application, in the process of the sweeper."""

    def size(self, config: DictConfig) -> int | None:
        """Return the number of parameters of a job's network; None if it is not known yet.

        Any error means that the job would fail.
        """
        ...

    def estimate(
        self,
        extremes: tuple[DictConfig, DictConfig] | None,
        num_trials: int,
        num_workers: int,
    ) -> Sequence[str]:
        """Return lines on the time and the memory that the sweep needs.

        Args:
            extremes: the configs of the smallest and the largest network; None if no size is
                known.
            num_trials: the number of jobs.
            num_workers: the number of jobs that run in parallel.
        """
        ...


@dataclass(frozen=True)
class Point:
    """A point of a sweep.

    Attributes:
        text: its varied keys with their values.
        config: the config of its job; None if it cannot be composed.
        size: what `Previewer.size` returned.
        problem: why its job would fail; "" if it would not.
        violated: the constraints that it violates, so that it would not be run; "" for none.
    """

    text: str
    config: DictConfig | None
    size: int | None = None
    problem: str = ""
    violated: str = ""


def build_previewer(config: DictConfig | None) -> Previewer | None:
    """Return the previewer of a config; only its own `_target_` may be instantiated."""
    previewer: Previewer | None = instantiate_own(config)
    return previewer


def inspect_point(
    text: str, compose: Callable[[], DictConfig], previewer: Previewer | None
) -> Point:
    """Return a point with the size of its job, or with the reason why it would fail."""
    try:
        config = compose()
    except Exception as error:
        return Point(text, None, problem=_first_line(error))
    try:
        return Point(text, config, previewer.size(config) if previewer else None)
    except Exception as error:
        return Point(text, config, problem=_first_line(error))


def find_extremes(
    axes: Sequence[Sequence[T]], inspect: Callable[[list[T]], Point]
) -> tuple[Point, Point] | None:
    """Return the points of the smallest and the largest size; None if no size is known.

    Each axis is searched with the others at their first value, which takes as many points as
    there are values, and not as there are combinations. The result is exact if each value adds
    to the size, or multiplies it, whatever the others are.
    """
    first = [axis[0] for axis in axes]
    ends: list[tuple[T, T]] = []
    for i, axis in enumerate(axes):
        sizes = [(value, inspect([*first[:i], value, *first[i + 1 :]]).size) for value in axis]
        known = [(value, size) for value, size in sizes if size is not None]
        if not known:
            return None
        low = min(known, key=lambda one: one[1])[0]
        high = max(known, key=lambda one: one[1])[0]
        ends.append((low, high))
    smallest, largest = (inspect([pair[i] for pair in ends]) for i in (0, 1))
    return None if smallest.size is None or largest.size is None else (smallest, largest)


def describe_space(rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """Yield the lines of the table of a space.

    Args:
        rows: the key, what it varies over, and the condition; "" for none.
    """
    conditional = any(condition for _, _, condition in rows)
    header = ("key", "values", "only when" if conditional else "")
    yield from _align([header, *rows])


def describe_points(points: Sequence[Point]) -> Iterator[str]:
    """Yield the lines of a table of points."""
    yield f"{len(points)} sampled point{'s' * (len(points) != 1)}:"
    rows = [(_format_size(point), point.text) for point in points]
    yield from _align([("parameters", ""), *rows] if any(p.size for p in points) else rows)
    for point in points:
        if point.problem:
            yield f"  would fail: {point.text}: {point.problem}"
        if point.violated:
            yield f"  would not be run: {point.text}: {point.violated}"


def describe_extremes(extremes: tuple[Point, Point] | None) -> Iterator[str]:
    """Yield a line each on the smallest and the largest point."""
    for word, point in zip(("smallest", "largest"), extremes or (), strict=False):
        refused = " (would not be run)" if point.violated else ""
        yield f"{word}: {point.size:,} parameters with {point.text}{refused}"


def estimate_cost(
    previewer: Previewer | None,
    extremes: tuple[Point, Point] | None,
    num_trials: int,
    num_workers: int,
) -> Sequence[str]:
    """Return the previewer's lines on time and memory."""
    if previewer is None:
        return []
    first, second = (point.config for point in extremes) if extremes else (None, None)
    configs = None if first is None or second is None else (first, second)
    return previewer.estimate(configs, num_trials, num_workers)


def print_preview(lines: Iterator[str]) -> None:
    """Print the lines of a preview on standard output as they are computed."""
    for line in lines:
        print(line, flush=True)


def _format_size(point: Point) -> str:
    return "?" if point.size is None else f"{point.size:,}"


def _align(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield ("  " + "  ".join(cells)).rstrip()


def _first_line(error: Exception) -> str:
    cause: Any = error.__cause__ or error
    return str(cause).partition("\n")[0] or type(cause).__name__
