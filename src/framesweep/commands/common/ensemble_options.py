"""The options of `framesweep best --ensemble`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from framesweep.commands.common.options import refuse_options
from framesweep.commands.common.prediction_options import file_options, writing_options

NUM_CANDIDATES = 20
"""Runs that an ensemble is chosen from, unless --top says otherwise."""

WRITTEN_ONLY = ("split", "file_format", "labels", "smooth")
"""Parameters of `framesweep best` that mean nothing without --out."""

ENSEMBLE_ONLY = ("max_params", "out", "overrides", *WRITTEN_ONLY)
"""Parameters of `framesweep best` that mean nothing without --ensemble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleOptions:
    """Which runs to choose from, and what to write with them."""

    names: tuple[str, ...]
    storage: str | None
    top: int
    max_params: float | None
    out: Path | None
    split: str
    file_format: str
    labels: str | None
    smooth: bool
    uri: str | None
    outputs: Path
    overrides: tuple[str, ...]

    @classmethod
    def select(cls, names: tuple[str, ...], options: Mapping[str, Any]) -> EnsembleOptions:
        """Take those of the options of `framesweep best` that an ensemble has."""
        wanted = {field.name for field in fields(cls)}
        chosen = {key: value for key, value in options.items() if key in wanted}
        return cls(names=names, **chosen)


def ensemble_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --ensemble and the options that it has."""
    for option in (
        click.option(
            "--set",
            "overrides",
            metavar="KEY=VALUE",
            multiple=True,
            help="With --ensemble, change a key of the config of each run, as "
            "data.root=/elsewhere. Repeatable.",
        ),
        writing_options,
        file_options,
        click.option(
            "--out",
            type=click.Path(path_type=Path, dir_okay=False),
            help="With --ensemble, also write its predictions, as framesweep predict does.",
        ),
        click.option(
            "--parameters",
            "--max-params",
            "max_params",
            type=click.FloatRange(min=1),
            help="With --ensemble, limit of the total number of parameters, as 20e6.",
        ),
        click.option(
            "--ensemble",
            is_flag=True,
            help="Choose an ensemble on dev from trials and runs, which may be of several "
            "studies; by default, from the best runs on the data of the newest one.",
        ),
    ):
        function = option(function)
    return function


def refuse_ensemble_options(context: click.Context) -> None:
    """Raise ConfigError if an option was given that has no effect.

    Most of them need --ensemble, and those that say what is written need --out as well.
    """
    if not context.params["ensemble"]:
        refuse_options(context, *ENSEMBLE_ONLY, rule="requires --ensemble")
        return
    if context.params["out"] is None:
        refuse_options(context, *WRITTEN_ONLY, rule="needs --out")
    if not context.params["names"]:
        refuse_options(context, "storage", rule="needs STUDY")
