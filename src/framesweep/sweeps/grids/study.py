"""The results of a grid as a study of Optuna, which tables, plots and commands can read."""

import logging
import math
import sqlite3
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import OptunaError
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from framesweep.catalog.directories import read_curve
from framesweep.config import RunConfig
from framesweep.config.composition import directions
from framesweep.config.paths import STUDIES_FILE, sqlite_url
from framesweep.sweeps.context import PARENT_ATTR
from framesweep.sweeps.grids.points import GridPoint
from hydra_plugins.framesweep_sweeper.storage._database import describe_error, open_database

log = logging.getLogger(__name__)

GRID_ATTR = "framesweep_grid"
"""Attribute of a study that is the record of a grid: the id of the grid."""

LOST = "the job ended without a result"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A grid: what its command line asked for, and where its jobs are.

    Attributes:
        id: distinguishes it from an earlier grid in the same directory.
        overrides: the overrides of the command line.
        swept: bare key -> what is swept over, as it was typed.
        num_points: how many runs were asked for; 0 if only its sweeper knows that.
    """

    id: str
    config: RunConfig
    directory: Path
    overrides: Sequence[str]
    swept: dict[str, str]
    num_points: int = 0

    @property
    def objectives(self) -> list[str]:
        """The names of the objectives, of which the first one ranks the runs."""
        return [self.config.objective, *self.config.further_objectives]

    @property
    def is_in_outputs(self) -> bool:
        """Whether the grid is where commands look for sweeps."""
        sweeps = Path(self.config.outputs).absolute() / "sweeps"
        return self.directory.absolute().parent == sweeps


def build_grid_study(
    grid: Grid, points: Sequence[GridPoint], parent_run_id: str | None
) -> Study:
    """Return a study with one trial per job, numbered as the jobs are.

    It is kept with the studies of searches under the name of the grid's directory, so that
    commands find it. A grid elsewhere, or without access to the database, is not kept.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = sqlite_url(Path(grid.config.outputs).absolute() / STUDIES_FILE)
    try:
        study = _create_study(grid, url if grid.is_in_outputs else None)
        _fill(study, grid, points, parent_run_id)
    except (OptunaError, SQLAlchemyError, sqlite3.Error, RuntimeError, OSError) as error:
        reason = describe_error(error, url)
        log.warning("the grid could not be added to %s (%s)", STUDIES_FILE, reason)
        study = _create_study(grid, None)
        _fill(study, grid, points, parent_run_id)
    return study


def is_kept(study: Study) -> bool:
    """Return whether the study of a grid can be loaded by its name."""
    return not isinstance(study._storage, InMemoryStorage)


def _create_study(grid: Grid, url: str | None) -> Study:
    storage: InMemoryStorage | RDBStorage = InMemoryStorage()
    if url is not None:
        storage = open_database(url)
        _delete_earlier(storage, grid.directory.name)
    wanted = directions(grid.config.objective, grid.config.further_objectives)
    study = optuna.create_study(
        study_name=grid.directory.name,
        storage=storage,
        directions=[StudyDirection[name.upper()] for name in wanted],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls names of metrics experimental
        study.set_metric_names(grid.objectives)
    return study


def _delete_earlier(storage: RDBStorage, name: str) -> None:
    """Delete the study of an earlier grid that ran in the same directory; never a search."""
    if name in optuna.get_all_study_names(storage):
        earlier = optuna.load_study(study_name=name, storage=storage)
        if GRID_ATTR in earlier.user_attrs:
            optuna.delete_study(study_name=name, storage=storage)


def _fill(
    study: Study, grid: Grid, points: Sequence[GridPoint], parent_run_id: str | None
) -> None:
    study.set_user_attr(GRID_ATTR, grid.id)
    study.set_user_attr("search_space", grid.swept)
    study.set_user_attr("fixed_overrides", {})
    if parent_run_id is not None:
        study.set_user_attr(PARENT_ATTR, parent_run_id)
    params = {point.number: point.select_values(list(grid.swept)) for point in points}
    known = {
        key: choose_distribution([values[key] for values in params.values() if key in values])
        for key in grid.swept
    }
    by_number = {point.number: point for point in points}
    # Optuna numbers trials in their order, so that a job without a record needs a place.
    for number in range(max(by_number, default=-1) + 1):
        if number in by_number:
            trial = _build_trial(by_number[number], params[number], known, grid)
        else:
            trial = create_trial(
                state=TrialState.FAIL, user_attrs={"failure_message": LOST, "overrides": []}
            )
        study.add_trial(trial)


def _build_trial(
    point: GridPoint, params: dict[str, Any], known: dict[str, BaseDistribution], grid: Grid
) -> FrozenTrial:
    is_complete = point.values is not None and len(point.values) == len(grid.objectives)
    attrs = {"overrides": list(point.overrides), "directory": point.directory}
    if not is_complete:
        attrs["failure_message"] = point.failure or LOST
    curve = read_curve(Path(point.directory), grid.config.objective)
    trial = create_trial(
        state=TrialState.COMPLETE if is_complete else TrialState.FAIL,
        values=list(point.values or ()) if is_complete else None,
        params=params,
        distributions={key: known[key] for key in params},
        user_attrs=attrs,
        intermediate_values=curve,
    )
    trial.datetime_start, trial.datetime_complete = point.start_time, point.end_time
    return trial


def choose_distribution(values: Sequence[Any]) -> BaseDistribution:
    """Return a distribution that contains the values: an interval of numbers, or a choice."""
    numbers = [value for value in values if type(value) in (int, float)]
    if numbers and len(numbers) == len(values) and all(map(math.isfinite, numbers)):
        low, high = min(numbers), max(numbers)
        is_log = low > 0 and high / low >= 100
        if all(type(value) is int for value in numbers):
            return IntDistribution(low, high, log=is_log)
        return FloatDistribution(low, high, log=is_log)
    return CategoricalDistribution(list(dict.fromkeys(values)) or [None])
