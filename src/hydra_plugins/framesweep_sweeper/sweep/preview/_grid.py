"""A preview of a grid: it runs no job and writes nothing."""

import importlib
import math
import random
from collections.abc import Iterator, Sequence

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.framesweep_sweeper._hydra import find_alias
from hydra_plugins.framesweep_sweeper.sweep.preview._text import (
    NUM_POINTS,
    Point,
    Previewer,
    build_previewer,
    describe_extremes,
    describe_points,
    describe_space,
    estimate_cost,
    find_extremes,
    inspect_point,
    print_preview,
)

Value = tuple[str, ...]
"""The overrides of one value of an axis, of which there are several if keys are paired."""


def preview_grid(
    axes: Sequence[Sequence[Value]],
    loader: ConfigLoader,
    config: DictConfig,
    previewer: DictConfig | None,
) -> None:
    """Print what a grid would run.

    Args:
        axes: the values of each axis; those with one value are fixed.
        loader: composes the config of a job from its overrides.
        config: the config of the grid.
        previewer: the config of the application's previewer; None if it has none.
    """
    print_preview(describe_grid(axes, loader, config, build_previewer(previewer)))


def describe_grid(
    axes: Sequence[Sequence[Value]],
    loader: ConfigLoader,
    config: DictConfig,
    previewer: Previewer | None,
) -> Iterator[str]:
    """Yield the lines of the preview of a grid; see `preview_grid`."""

    def inspect(values: Sequence[Value]) -> Point:
        overrides = [text for value in values for text in value]
        varied = [
            t for value, axis in zip(values, axes, strict=True) if len(axis) > 1 for t in value
        ]
        text = " ".join(varied or overrides)
        return inspect_point(
            text, lambda: loader.load_sweep_config(config, overrides), previewer
        )

    size = math.prod(len(axis) for axis in axes)
    yield "preview: nothing is run or written"
    swept = [axis for axis in axes if len(axis) > 1]
    if swept:
        yield from describe_space([_describe_axis(axis) for axis in swept])
    yield f"size: {size:,} run{'s' * (size != 1)}"
    alias = find_alias(config, "preview")
    texts = [text for axis in axes if len(axis) == 1 for text in axis[0]]
    fixed = " ".join(text for text in texts if text.lstrip("+").partition("=")[0] != alias)
    if fixed and swept:
        yield f"fixed: {fixed}"
    chosen = sorted(random.Random(0).sample(range(size), min(size, NUM_POINTS)))
    yield from describe_points([inspect(_pick(axes, number)) for number in chosen])
    extremes = find_extremes(axes, inspect) if previewer else None
    if swept:
        yield from describe_extremes(extremes)
    yield from estimate_cost(previewer, extremes, size, min(size, count_workers(config)))


def count_workers(config: DictConfig) -> int:
    """Return how many jobs of a grid run in parallel: one, unless joblib was chosen."""
    launcher = OmegaConf.select(config, "hydra.launcher", default=OmegaConf.create())
    if "joblib" not in str(launcher.get("_target_")):
        return 1
    joblib = importlib.import_module("joblib")
    return int(joblib.effective_n_jobs(launcher.n_jobs))


def _describe_axis(axis: Sequence[Value]) -> tuple[str, str, str]:
    keys = [override.partition("=")[0] for override in axis[0]]
    values = [" ".join(text.partition("=")[2] for text in value) for value in axis]
    return " ".join(keys), ", ".join(values), ""


def _pick(axes: Sequence[Sequence[Value]], number: int) -> list[Value]:
    """Return point `number` of the product of the axes."""
    values = []
    for axis in reversed(axes):
        number, position = divmod(number, len(axis))
        values.append(axis[position])
    return values[::-1]
