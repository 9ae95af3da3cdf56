"""Sweeps over settings from Python: grids, and searches with Optuna."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.plugins.sweeper import Sweeper
from hydra.types import RunMode, TaskFunction
from omegaconf import DictConfig

from framesweep.api.grid_jobs import CollectedJobs, QuietJob, RaisingLauncher, log_size
from framesweep.api.hydra_internals import Callbacks, Hydra, create_context
from framesweep.api.overrides import read_overrides
from framesweep.api.result import Result
from framesweep.api.session import session
from framesweep.api.training import build_hydra
from framesweep.api.trial_tables import COMPLETE, build_grid_table, build_study_table
from framesweep.config.command_line import python_call, refuse_resume
from framesweep.config.composition import to_run_config
from framesweep.errors import FramesweepError, Interrupted
from framesweep.runs.job import run_job
from framesweep.sweeps.context import remove_hydra
from framesweep.sweeps.grid_parent import SEARCH_SWEEPERS, select_sweep_overrides
from framesweep.sweeps.grids.checks import GRID_SWEEPER, list_grid_overrides
from hydra_plugins.framesweep_sweeper.sweeper import FramesweepSweeper

if TYPE_CHECKING:
    import pandas as pd
    from optuna.study import Study

IN_PROCESS_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
KEEP_LOGGING = ("hydra.job_logging.root=null", "hydra.hydra_logging.root=null")
"""Overrides with which Hydra leaves the logging of this process as it is."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A finished sweep.

    Attributes:
        study: The Optuna study of a search; None for a grid.
        table: One row per trial or grid point: the swept values, the objective, and more.
        directory: The directory of the sweep, with one folder per run.
    """

    study: Study | None
    table: pd.DataFrame
    directory: Path

    @property
    def best(self) -> Result:
        """The run with the best objective.

        Raises:
            FramesweepError: if no run has finished.
        """
        finished = (
            self.table if self.table.empty else self.table[self.table["state"] == COMPLETE]
        )
        if finished.empty:
            raise FramesweepError("the sweep has no finished run")
        return Result(str(finished.sort_values("rank")["directory"].iloc[0]))

    def __iter__(self) -> Iterator[Any]:
        """Yield the study and the table: `study, table = sweep(...)`."""
        return iter((self.study, self.table))


def sweep(overrides: Sequence[str]) -> Sweep:
    """Train many runs, as `framesweep train -m` does: a grid, or a search with Optuna.

    Args:
        overrides: Options and keys, as on the command line. `["data.context=5,15"]` is a grid;
            `["sweep=optuna", "hydra.sweeper.n_trials=20"]` is a search, and the same call
            continues it if it was stopped; a grid that was stopped prints the call.

    Raises:
        FramesweepError: if an override or the data is not valid, or too many runs fail: those
            of a search, or all of a grid. The message is the line that the command line prints.
        KeyboardInterrupt: after Ctrl-C, with the call that continues.
    """
    texts = read_overrides(overrides, in_sweep=True)
    with session("framesweep train -m", texts) as continuation, _restored_verbosity():
        for text in texts:
            if text.startswith("resume="):
                refuse_resume(text.removeprefix("resume="))
        hydra = build_hydra()
        config = _compose(hydra, texts)
        choices = config.hydra.runtime.choices
        if config.sweep.preview:
            return _preview(hydra, config)
        call = python_call("sweep", texts)
        if choices["hydra/sweeper"] in SEARCH_SWEEPERS:
            continuation.text = f"{call} continues the search"
            if config.hydra.sweeper.new:  # what the sweeper prints names the new study
                continuation.text = "the line above says how to continue the search"
            return _search(hydra, config)
        continuation.text = f"{call} starts again"
        if choices["hydra/sweeper"] == GRID_SWEEPER:
            continuation.text = "the line above says how to train the rest"
        in_process = config.hydra.launcher._target_ == IN_PROCESS_LAUNCHER
        if in_process:
            config = _compose(hydra, [*texts, *KEEP_LOGGING])
        return _run_grid(hydra, config, in_process=in_process)


def _compose(hydra: Hydra, overrides: list[str]) -> DictConfig:
    # The mode is an override, as on the command line, because jobs are composed anew from the
    # overrides and have to know that they are part of a sweep.
    return hydra.compose_config(
        "config",
        [*overrides, "hydra.mode=MULTIRUN"],
        run_mode=RunMode.MULTIRUN,
        activate_config_repository=True,
    )


@contextmanager
def _restored_verbosity() -> Iterator[None]:
    """Restore how much Optuna logs, which a search reduces."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    try:
        yield
    finally:
        optuna.logging.set_verbosity(verbosity)


@contextmanager
def _open_sweeper(
    hydra: Hydra, config: DictConfig, task: TaskFunction, *further: Callback
) -> Iterator[Sweeper]:
    """Yield the sweeper of a config between the callbacks that Hydra makes around it.

    This is what `Hydra.multirun` does, except that the caller calls the sweeper.
    """
    HydraConfig.instance().set_config(config)
    callbacks = Callbacks(config)
    callbacks.callbacks.extend(further)
    try:
        callbacks.on_multirun_start(config=config, config_name="config")
        context = create_context(hydra, callbacks)
        yield Plugins.instance().instantiate_sweeper(
            config=config, hydra_context=context, task_function=task
        )
    finally:
        callbacks.on_multirun_end(config=config, config_name="config")


def _preview(hydra: Hydra, config: DictConfig) -> Sweep:
    """Print what the sweep would run, and return it without any run."""
    import pandas as pd

    with _open_sweeper(hydra, config, run_job) as sweeper:
        sweeper.sweep(list(config.hydra.overrides.task))
    return Sweep(None, pd.DataFrame(), Path(config.hydra.sweep.dir).absolute())


def _search(hydra: Hydra, config: DictConfig) -> Sweep:
    from framesweep.sweeps.studies import load_study

    with _open_sweeper(hydra, config, run_job) as sweeper:
        assert isinstance(sweeper, FramesweepSweeper)
        signum = sweeper.search(list(config.hydra.overrides.task))
    if signum:
        raise Interrupted(signum)
    # The sweeper has written the name of the study into the config.
    outputs = Path(config.hydra.runtime.cwd, config.outputs)
    settings = config.hydra.sweeper
    study = load_study(settings.study_name, settings.storage, outputs)
    directory = Path(config.hydra.sweep.dir).absolute()
    return Sweep(study, build_study_table(study, directory), directory)


def _run_grid(hydra: Hydra, config: DictConfig, *, in_process: bool) -> Sweep:
    from framesweep.evaluation.metrics import METRICS

    run_config = to_run_config(remove_hydra(config))
    swept = list(select_sweep_overrides(list_grid_overrides(config)))
    task: TaskFunction = QuietJob(swept) if in_process else run_job
    collected = CollectedJobs()
    with _open_sweeper(hydra, config, task, collected) as sweeper:
        if in_process:
            log_size(config)
        jobs = _run_jobs(sweeper, config, collected)
    objectives = [run_config.objective, *run_config.further_objectives]
    metric = METRICS.get(objectives[0])
    table = build_grid_table(
        jobs,
        swept,
        objectives,
        maximize=metric is None or metric.maximize,
    )
    return Sweep(None, table, Path(config.hydra.sweep.dir).absolute())


def _run_jobs(
    sweeper: Sweeper, config: DictConfig, collected: CollectedJobs
) -> Sequence[JobReturn]:
    """Return the jobs of a grid; raise the error of one only if no other is of use."""
    try:
        assert sweeper.launcher is not None
        sweeper.launcher = RaisingLauncher(sweeper.launcher)  # type: ignore[assignment]
        batches = sweeper.sweep(list(config.hydra.overrides.task))
    except FramesweepError:
        # The sweeper has ended after the first of several batches.
        is_whole = config.hydra.sweeper.get("max_batch_size") is None
        if not (is_whole and collected.are_useful()):
            raise
        return collected.jobs
    return [job for batch in batches for job in batch]
