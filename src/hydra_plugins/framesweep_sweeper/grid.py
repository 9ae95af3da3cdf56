"""A grid whose keys can be paired, in place of the sweeper that Hydra calls `basic`."""

import itertools
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException
from omegaconf import DictConfig

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper._hydra import BasicSweeper
from hydra_plugins.framesweep_sweeper.search._zips import (
    read_zip,
    require_known_tags,
    require_pairs,
)

Axes = list[list[tuple[str, ...]]]
"""For each axis of a grid its values: the overrides of one key, or those of paired keys."""


class GridSweeper(BasicSweeper):
    """Hydra's grid; keys with the same tag, such as `tag(zip, choice(1, 2))`, are paired.

    Args:
        max_batch_size: the largest number of jobs that are launched together; None for all.
        params: further keys with their sweeps.
        preview: whether to print what the grid would run, instead of running it.
        previewer: config of an object that describes jobs in a preview; None for none.
    """

    def __init__(
        self,
        max_batch_size: int | None,
        params: dict[str, str] | None = None,
        preview: bool = False,
        previewer: DictConfig | None = None,
    ) -> None:
        super().__init__(max_batch_size, params)
        self._preview = preview
        self._previewer = previewer

    def sweep(self, arguments: list[str]) -> Any:
        """Run the jobs, or only print them if a preview was asked for.

        Raises:
            HydraException: a key is not discrete, or the numbers of paired values differ.
        """
        if not self._preview:
            return super().sweep(arguments)
        # Imported when it is needed: Hydra imports this module at each start.
        from hydra_plugins.framesweep_sweeper.sweep.preview._grid import preview_grid

        assert self.hydra_context is not None
        assert self.config is not None
        loader = self.hydra_context.config_loader
        overrides = OverridesParser.create(config_loader=loader).parse_overrides(
            [*self._parse_config(), *arguments]
        )
        preview_grid(check_grid(overrides), loader, self.config, self._previewer)
        return []

    @staticmethod
    def split_arguments(
        overrides: list[Override], max_batch_size: int | None
    ) -> list[list[list[str]]]:
        """Return the overrides of each job, in batches of at most `max_batch_size` jobs.

        Raises:
            HydraException: a key is not discrete, or the numbers of paired values differ.
        """
        jobs = list_points(check_grid(overrides))
        return [*BasicSweeper.split_overrides_to_chunks(jobs, max_batch_size)]


def list_points(axes: Axes) -> list[list[str]]:
    """Return the overrides of each point of a grid, the last axis varying fastest."""
    return [[text for part in point for text in part] for point in itertools.product(*axes)]


def check_grid(overrides: list[Override]) -> Axes:
    """Return the axes of a grid.

    Raises:
        HydraException: a key is not discrete or has no value, or the numbers of paired values
            differ.
    """
    for override in overrides:
        if override.is_sweep_override() and not override.is_discrete_sweep():
            BasicSweeper.split_arguments([override], None)  # which refuses it
    return build_axes(overrides)


def build_axes(overrides: list[Override]) -> Axes:
    """Return the axes of a grid whose keys are discrete.

    Raises:
        HydraException: a tag is unknown, a key is paired with none, or the numbers of paired
            values differ.
    """
    last = {override.get_key_element(): override for override in overrides}
    columns = {key: _list_texts(override) for key, override in last.items()}
    try:
        for override in last.values():
            require_known_tags(override)
        tags = {key: read_zip(override) for key, override in last.items()}
        zips = {
            tag: {key: len(columns[key]) for key in tags if tags[key] == tag}
            for tag in tags.values()
            if tag
        }
        require_pairs(zips)
    except SweepError as error:
        raise HydraException(str(error)) from None
    axes = []
    for key, column in columns.items():
        paired = zips.get(tags[key], {key: len(column)})
        if key == next(iter(paired)):
            axes.append(list(zip(*(columns[each] for each in paired), strict=True)))
    return axes


def _list_texts(override: Override) -> list[str]:
    key = override.get_key_element()
    if override.is_sweep_override():
        try:
            texts = [f"{key}={value}" for value in override.sweep_string_iterator()]
        except ValueError as error:  # of Python's range
            rule = str(error).replace("range() arg 3", "the step of range(...)")
            raise HydraException(f"{key}: {rule}; found {override.input_line}") from None
        if not texts:
            is_glob = isinstance(override.value(), Glob)
            hint = "glob(...) lists the options of a group, as in model=glob(*)"
            raise HydraException(
                f"{key}: must have at least one value; its sweep has none. "
                + (hint if is_glob else "Give it one")
            )
        return texts
    return [f"{key}={override.get_value_element_as_str()}"]
