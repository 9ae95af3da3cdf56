"""The record that each job of a grid leaves in its directory: its overrides and its result."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString

from framesweep.credentials import scrub
from framesweep.sweeps.context import to_bare_key
from framesweep.system.atomic_files import write_text

POINT_FILE = "grid_point.json"
"""Name of the record in the directory of a job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPoint:
    """A job of a grid that has ended.

    Attributes:
        grid: the id of the grid; the directory may contain the jobs of an earlier one.
        number: the number of the job, from 0.
        overrides: all of its overrides.
        started: when it started, in seconds since 1970.
        ended: when it ended.
        values: its objectives; None if it failed.
        failure: why it failed, in one line; empty if it did not.
        directory: where it ran.
        is_refused: whether it failed because its config is wrong, as it would again.
    """

    grid: str
    number: int
    overrides: Sequence[str]
    started: float
    ended: float
    values: Sequence[float] | None
    failure: str = ""
    directory: str = ""
    is_refused: bool = False

    @property
    def start_time(self) -> datetime:
        """When the job started, in local time as Optuna has it."""
        return datetime.fromtimestamp(self.started)

    @property
    def end_time(self) -> datetime:
        """When the job ended, in local time as Optuna has it."""
        return datetime.fromtimestamp(self.ended)

    def select_values(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return bare key -> value of those overrides that are among `keys`."""
        parsed = OverridesParser.create().parse_overrides(list(self.overrides))
        values = {to_bare_key(each.get_key_element()): _plain_value(each) for each in parsed}
        return {key: values[key] for key in keys if key in values}

    def select_texts(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the values of `keys` as they are written in the overrides."""
        pairs = (override.partition("=") for override in self.overrides)
        texts = {to_bare_key(key): text for key, _, text in pairs}
        return {key: texts[key] for key in keys if key in texts}


def write_point(point: GridPoint) -> None:
    """Write the record of a job into the job's directory, without credentials."""
    write_text(Path(point.directory, POINT_FILE), scrub(json.dumps(asdict(point))))


def read_points(directory: Path, grid: str) -> list[GridPoint]:
    """Return the jobs of a grid that have ended, by number; a damaged record is left out.

    Args:
        directory: The directory of the sweep, somewhere below which are those of the jobs.
        grid: The id of the grid.
    """
    points = []
    for path in directory.rglob(POINT_FILE):
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            point = GridPoint(**fields | {"directory": str(path.parent)})
        except (OSError, ValueError, TypeError):
            continue
        if point.grid == grid:
            points.append(point)
    return sorted(points, key=lambda point: point.number)


def read_values(returned: Any) -> list[float] | None:
    """Return the objectives that a job returned; None if one of them is no number or NaN."""
    several = returned if isinstance(returned, list | tuple) else [returned]
    try:
        values = [float(each) for each in several]
    except (TypeError, ValueError):
        return None
    return None if any(math.isnan(value) for value in values) else values


def _plain_value(override: Override) -> Any:
    """Return the value of an override as one that Optuna can keep."""
    value = override.value()
    if isinstance(value, QuotedString):
        return value.text
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return override.get_value_element_as_str()
