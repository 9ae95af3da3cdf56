"""A grid whose keys can be paired, in place of the sweeper that Hydra calls `basic`."""

import itertools

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._zips import read_zip, require_pairs


class GridSweeper(BasicSweeper):
    """Hydra's grid; keys with the same tag, such as `tag(zip, choice(1, 2))`, are paired."""

    @staticmethod
    def split_arguments(
        overrides: list[Override], max_batch_size: int | None
    ) -> list[list[list[str]]]:
        """Return the overrides of each job, in batches of at most `max_batch_size` jobs.

        Raises:
            HydraException: a key is not discrete, or the numbers of paired values differ.
        """
        if any(o.is_sweep_override() and not o.is_discrete_sweep() for o in overrides):
            return BasicSweeper.split_arguments(overrides, max_batch_size)  # which refuses it
        jobs = list_points(overrides)
        return [*BasicSweeper.split_overrides_to_chunks(jobs, max_batch_size)]


def list_points(overrides: list[Override]) -> list[list[str]]:
    """Return the overrides of each point of a grid, the last key varying fastest.

    Raises:
        HydraException: a key is paired with none, or the numbers of paired values differ.
    """
    try:
        axes = _build_axes({o.get_key_element(): o for o in overrides})
    except SweepError as error:
        raise HydraException(str(error)) from None
    return [[text for pair in point for text in pair] for point in itertools.product(*axes)]


def _build_axes(overrides: dict[str, Override]) -> list[list[tuple[str, ...]]]:
    """Return the axes of a grid: the overrides of one key, or those of keys that are paired."""
    columns = {key: _list_texts(override) for key, override in overrides.items()}
    tags = {key: read_zip(override) for key, override in overrides.items()}
    zips = {
        tag: {key: len(columns[key]) for key in tags if tags[key] == tag}
        for tag in tags.values()
        if tag
    }
    require_pairs(zips)
    axes = []
    for key, column in columns.items():
        paired = zips.get(tags[key], {key: len(column)})
        if key == next(iter(paired)):
            axes.append(list(zip(*(columns[each] for each in paired), strict=True)))
    return axes


def _list_texts(override: Override) -> list[str]:
    key = override.get_key_element()
    if override.is_sweep_override():
        return [f"{key}={value}" for value in override.sweep_string_iterator()]
    return [f"{key}={override.get_value_element_as_str()}"]
