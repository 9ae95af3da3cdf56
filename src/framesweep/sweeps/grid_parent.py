"""The MLflow parent of a plain grid, which is `-m` without a search."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, ListConfig, open_dict, read_write

from framesweep.config.composition import directions, to_run_config
from framesweep.credentials import scrub
from framesweep.errors import Interrupted
from framesweep.sweeps.context import PARENT_VARIABLE, SWEPT_VARIABLE, to_bare_key
from framesweep.sweeps.grid_results import log_grid_results
from framesweep.sweeps.run_names import name_by_overrides
from framesweep.sweeps.winner import find_grid_winner, track_winner
from framesweep.system.atomic_files import write_text
from framesweep.tracking import Tracker, open_tracker

SEARCH_SWEEPERS = ("framesweep",)
"""Names of the sweepers whose searches have a parent already."""


class GridParent(Callback):
    """Opens the parent before the first job, passes its id to every job, and ends it."""

    def __init__(self) -> None:
        self._tracker: Tracker | None = None
        self._overrides: list[str] = []

    def __getstate__(self) -> dict[str, Any]:
        """Leave the tracker out of copies for other processes.

        joblib, submitit and Ray pickle Hydra's callbacks with every job, and a tracker holds
        open files. A job does not need it: it learns its parent's id from the environment.
        """
        return {"_tracker": None, "_overrides": self._overrides}

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Open the parent.

        Its id reaches the jobs as an environment variable that Hydra sets in each of them. This
        works with every launcher: a job may run in another process or on another machine.

        Raises:
            TrackingError: the parent cannot be opened.
        """
        if config.hydra.runtime.choices["hydra/sweeper"] in SEARCH_SWEEPERS:
            return
        run_config = to_run_config(remove_hydra(config))
        directory = Path(config.hydra.sweep.dir).absolute()
        self._overrides = list(config.hydra.overrides.task)
        swept = select_sweep_overrides(self._overrides)
        # What is swept comes first, because a long name is cut.
        ordered = sorted(self._overrides, key=lambda o: to_bare_key(o) not in swept)
        name = run_config.tracking.run_name or f"grid: {name_by_overrides(ordered)}"
        self._tracker = open_tracker(
            replace(run_config.tracking, run_name=name),
            Path(run_config.outputs),
            directory,
            tags={"sweep": "grid"},
        )
        self._tracker.log_params(swept)
        run_id = self._tracker.run_id
        if run_id is None:
            return
        variables = {PARENT_VARIABLE: run_id, SWEPT_VARIABLE: " ".join(swept)}
        with read_write(config.hydra.overrides), open_dict(config.hydra.overrides):
            for name, value in variables.items():
                config.hydra.overrides.hydra.append(f"++hydra.job.env_set.{name}='{value}'")

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """End the parent with the status that the sweep ended with."""
        _scrub_file(Path(config.hydra.sweep.dir) / "multirun.yaml")
        if self._tracker is None:
            return
        # Hydra does not pass the error, but calls this from a `finally` clause.
        error = sys.exception()
        run_config = to_run_config(remove_hydra(config))
        maximize = directions(run_config.objective, ListConfig([])) == ["maximize"]
        log_grid_results(self._tracker, run_config, self._overrides, maximize=maximize)
        if error is None:
            winner = find_grid_winner(Path(config.hydra.sweep.dir), run_config.objective)
            track_winner(self._tracker, run_config.tracking, winner)
            self._tracker.finish("FINISHED")
        else:
            stopped = isinstance(error, KeyboardInterrupt | Interrupted)
            self._tracker.finish("KILLED" if stopped else "FAILED")


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


def remove_hydra(config: DictConfig) -> DictConfig:
    """Return a copy of a composed config with only the application's part."""
    config = config.copy()
    with read_write(config), open_dict(config):
        del config["hydra"]
    return config
