"""One MLflow parent for the runs of a plain grid, `-m` without a search."""

import sys
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict, read_write

from framesweep.config.composition import to_run_config
from framesweep.credentials import scrub
from framesweep.errors import Interrupted
from framesweep.sweeps.context import PARENT_VARIABLE, SWEPT_VARIABLE, to_bare_key
from framesweep.system.atomic_files import write_text
from framesweep.tracking import Tracker, open_tracker

SEARCHES = ("framesweep",)
"""Sweepers with a parent of their own."""


class GridParent(Callback):
    """Opens the parent before the first job, hands its id to every job, and closes it."""

    def __init__(self) -> None:
        self._tracker: Tracker | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        if config.hydra.runtime.choices["hydra/sweeper"] in SEARCHES:
            return
        run_config = to_run_config(without_hydra(config))
        directory = Path(config.hydra.sweep.dir).absolute()
        swept = swept_overrides(list(config.hydra.overrides.task))
        self._tracker = open_tracker(
            run_config.tracking, Path(run_config.outputs), directory, tags={"sweep": "grid"}
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
        _scrub_file(Path(config.hydra.sweep.dir) / "multirun.yaml")
        if self._tracker is None:
            return
        # Hydra calls this while an error of the sweep, if any, is on its way out.
        error = sys.exception()
        if error is None:
            self._tracker.finish("FINISHED")
        else:
            stopped = isinstance(error, KeyboardInterrupt | Interrupted)
            self._tracker.finish("KILLED" if stopped else "FAILED")


def _scrub_file(path: Path) -> None:
    """Takes credentials out of what Hydra's own sweeper has written."""
    if path.exists():
        write_text(path, scrub(path.read_text(encoding="utf-8")))


def swept_overrides(overrides: list[str]) -> dict[str, str]:
    """Those of a command line's overrides that are swept: bare key -> what it is swept over."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    return {
        to_bare_key(o.get_key_element()): str(o.input_line).partition("=")[2]
        for o in parsed
        if o.is_sweep_override()
    }


def without_hydra(config: DictConfig) -> DictConfig:
    """The application's part of a composed config."""
    config = config.copy()
    with read_write(config), open_dict(config):
        del config["hydra"]
    return config
