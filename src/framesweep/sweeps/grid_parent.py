"""The MLflow parent of a plain grid, which is `-m` without a search."""

import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict, read_write

from framesweep.config.composition import directions, to_run_config
from framesweep.config.rules import require_metrics
from framesweep.credentials import scrub
from framesweep.errors import CallbackAborted, ConfigError, Interrupted
from framesweep.sweeps.context import PARENT_VARIABLE, SWEPT_VARIABLE, remove_hydra, to_bare_key
from framesweep.sweeps.corpus import prepare_shared_corpus
from framesweep.sweeps.grids.checks import (
    list_grid_overrides,
    require_grid,
    require_no_search_keys,
    require_preview,
    require_shared_keys,
)
from framesweep.sweeps.grids.points import GridPoint, read_values, write_point
from framesweep.sweeps.run_names import name_by_overrides
from framesweep.sweeps.winner import track_winner
from framesweep.system.atomic_files import write_text
from framesweep.system.signals import take_late_signal
from framesweep.tracking import Status, Tracker, open_tracker
from hydra_plugins.framesweep_sweeper._hydra import MULTIRUN

SEARCH_SWEEPERS = ("framesweep",)
"""Names of the sweepers whose searches have a parent already."""

LOCAL_LAUNCHERS = ("basic", "joblib")
"""Names of the launchers that run jobs on this machine, which thus has their corpus."""

DIRECTION_KEY = "hydra.sweeper.direction"


class GridParent(Callback):
    """Opens the parent before the first job, passes its id to every job, and ends it.

    Each job of a grid also leaves a record of its result, from which the results of the whole
    grid are put together, whichever launcher has run it.
    """

    def __init__(self) -> None:
        self._tracker: Tracker | None = None
        self._grid = ""
        self._started = 0.0
        self._num_points = 0

    def __getstate__(self) -> dict[str, Any]:
        """Leave the tracker out of copies for other processes.

        joblib, submitit and Ray pickle Hydra's callbacks with every job, and a tracker holds
        open files. A job does not need it: it learns its parent's id from the environment.
        """
        return {"_tracker": None, "_grid": self._grid, "_started": self._started}

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Open the parent.

        Its id reaches the jobs as an environment variable that Hydra sets in each of them. This
        works with every launcher: a job may run in another process or on another machine.

        Raises:
            CallbackAborted: from a ConfigError if the sweep would search for the wrong thing or
                the config is not valid, from a HydraException if its keys cannot be combined,
                from a TrackingError if the parent cannot be opened.
        """
        try:
            require_shared_keys(config, select_sweep_overrides([*config.hydra.overrides.task]))
            choose_direction(config)
            if config.hydra.runtime.choices["hydra/sweeper"] not in SEARCH_SWEEPERS:
                self._open(config)
        except Exception as error:
            raise CallbackAborted(error) from error

    def _open(self, config: DictConfig) -> None:
        run_config = to_run_config(remove_hydra(config))
        if run_config.sweep.preview:
            require_preview(config)
            return
        directory = Path(config.hydra.sweep.dir).absolute()
        overrides = list_grid_overrides(config)
        require_no_search_keys(overrides)
        self._num_points = require_grid(config, overrides)
        swept = select_sweep_overrides(overrides)
        if config.hydra.runtime.choices["hydra/launcher"] in LOCAL_LAUNCHERS:
            prepare_shared_corpus(run_config, swept)
        # What is swept comes first, because a long name is cut.
        ordered = sorted(overrides, key=lambda o: to_bare_key(o) not in swept)
        name = run_config.tracking.run_name or f"grid: {name_by_overrides(ordered)}"
        self._tracker = open_tracker(
            replace(run_config.tracking, run_name=name),
            Path(run_config.outputs),
            directory,
            tags={"sweep": "grid"},
        )
        take_late_signal()  # that of an earlier call in the same process
        self._grid = uuid.uuid4().hex
        self._tracker.log_params(swept)
        variables = {SWEPT_VARIABLE: " ".join(swept)}
        if self._tracker.run_id is not None:
            variables[PARENT_VARIABLE] = self._tracker.run_id
        _add_job_overrides(
            config, [f"++hydra.job.env_set.{name}='{text}'" for name, text in variables.items()]
        )

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Note when a job of a grid starts, in the job's own process."""
        self._started = time.time()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Record the result of a job of a grid, in the job's own process.

        Raises:
            KeyboardInterrupt: a signal came when the job had nothing to stop any more, and this
                process would run the next one as well.
        """
        if not self._grid:
            return  # a single run, or a trial of a search
        done = job_return.status is JobStatus.COMPLETED
        returned = job_return._return_value
        lines = [] if done else str(returned).strip().splitlines()
        write_point(
            GridPoint(
                grid=self._grid,
                number=int(config.hydra.job.num),
                overrides=list(config.hydra.overrides.task),
                started=self._started,
                ended=time.time(),
                values=read_values(returned) if done else None,
                failure=lines[0] if lines else "",
                directory=str(config.hydra.runtime.output_dir),
                is_refused=isinstance(returned, ConfigError),
            )
        )
        is_shared = config.hydra.runtime.choices["hydra/launcher"] == "basic"
        if is_shared and (signum := take_late_signal()):
            raise KeyboardInterrupt from Interrupted(signum)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Record and print the results, and end the parent with the status of the sweep."""
        _scrub_file(Path(config.hydra.sweep.dir) / MULTIRUN)
        if self._tracker is None:
            return
        # Hydra does not pass the error, but calls this from a `finally` clause.
        error = sys.exception()
        # Optuna, which keeps the results, takes a second to import.
        from framesweep.sweeps.grids.results import record_grid
        from framesweep.sweeps.grids.study import Grid

        run_config = to_run_config(remove_hydra(config))
        overrides = list_grid_overrides(config)
        grid = Grid(
            id=self._grid,
            config=run_config,
            directory=Path(config.hydra.sweep.dir).absolute(),
            overrides=overrides,
            swept=select_sweep_overrides(overrides),
            num_points=self._num_points,
        )
        status: Status = "FINISHED"
        if error is not None:
            stopped = isinstance(error, KeyboardInterrupt | Interrupted)
            status = "KILLED" if stopped else "FAILED"
        try:
            winner = record_grid(self._tracker, grid, status)
            if error is None:
                track_winner(self._tracker, run_config.tracking, winner)
        finally:
            self._tracker.finish(status)


def choose_direction(config: DictConfig) -> None:
    """Let a sweeper that searches look for the better values of the objective.

    Hydra's own Optuna sweeper minimizes unless it is told otherwise. A direction that was typed
    for it stays as it is.

    Raises:
        ConfigError: an objective is no metric, or the sweeper of this package was chosen
            without the settings of a search, or is to look for the worse values.
    """
    sweeper = config.hydra.runtime.choices["hydra/sweeper"]
    objective = str(config.objective)
    require_metrics(objective, config.further_objectives)
    wanted = directions(objective, config.further_objectives)
    names = ", ".join([objective, *config.further_objectives])
    if sweeper in SEARCH_SWEEPERS:
        if config.hydra.sweeper.get("listener") is None:
            raise ConfigError(
                "hydra/sweeper",
                "must be chosen by sweep=bare or another option of sweep, which also say what "
                f"to do with {objective}",
                found=sweeper,
                fix=f"Type sweep=bare in place of hydra/sweeper={sweeper}.",
            )
        _require_better(config.hydra.sweeper.direction, wanted, names)
    elif "direction" in config.hydra.sweeper and not _is_typed(config, DIRECTION_KEY):
        direction = wanted if len(wanted) > 1 else wanted[0]
        with read_write(config.hydra.sweeper):
            config.hydra.sweeper.direction = direction
        # Hydra refuses jobs, composed anew, whose sweeper differs from that of the sweep.
        _add_job_overrides(config, [f"{DIRECTION_KEY}={direction}"])


def _require_better(direction: Any, wanted: list[str], objectives: str) -> None:
    """Raise ConfigError if as many directions as there are objectives are not theirs."""
    found = [direction] if isinstance(direction, str) else list(direction or ())
    if len(found) == len(wanted) and {*found} <= {"minimize", "maximize"} and found != wanted:
        raise ConfigError(
            DIRECTION_KEY,
            f"must be {', '.join(wanted)} for {objectives}",
            found=found,
            fix="Leave the key out.",
        )


def _add_job_overrides(config: DictConfig, overrides: list[str]) -> None:
    """Let Hydra compose each job with these overrides as well."""
    with read_write(config.hydra.overrides), open_dict(config.hydra.overrides):
        config.hydra.overrides.hydra.extend(overrides)


def _is_typed(config: DictConfig, key: str) -> bool:
    return any(to_bare_key(override) == key for override in config.hydra.overrides.hydra)


def _scrub_file(path: Path) -> None:
    """Remove the credentials from a file that Hydra's own sweeper has written."""
    if path.exists():
        write_text(path, scrub(path.read_text(encoding="utf-8")))


def select_sweep_overrides(overrides: list[str]) -> dict[str, str]:
    """Return those overrides of a command line that are swept: bare key -> what it sweeps."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    return {
        to_bare_key(override.get_key_element()): str(override.input_line).partition("=")[2]
        for override in parsed
        if override.is_sweep_override()
    }
