"""The job that Hydra calls with a composed config: a single run, a grid point or a trial."""

import contextlib
import os
import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from framesweep.config.command_line import is_in_python, python_call, train_command
from framesweep.config.composition import to_run_config
from framesweep.config.messages.refusals import ALLOW_VARIABLE
from framesweep.errors import ConfigError, Interrupted
from framesweep.system.processes import require_address_space

TRUSTED_TARGETS = (
    "framesweep.sweeps.*",
    "framesweep.credentials.*",
    *filter(None, os.environ.get(ALLOW_VARIABLE, "").replace(" ", "").split(",")),
)
"""What Hydra may call from a config: classes of framesweep, and what the user allows."""


def is_in_sweep() -> bool:
    """Return whether the running Hydra job is one of several."""
    return bool(HydraConfig.get().mode == RunMode.MULTIRUN)


def remove_empty_directory() -> None:
    """Remove the run's directory, and that of its day, if the run has left nothing there."""
    directory = Path(HydraConfig.get().runtime.output_dir)
    with contextlib.suppress(OSError):
        directory.rmdir()
        directory.parent.rmdir()


def run_job(config: DictConfig) -> float | list[float]:
    """Train in the directory that Hydra has chosen, and return the objective, as `run.run`.

    Raises:
        KeyboardInterrupt: if a signal stopped a point of a grid. Hydra's own sweeper starts
            the next point after any other exception.
        FramesweepError: as `run.run`.
    """
    require_address_space()
    # Torch takes seconds to import, and --help must not wait for it.
    from framesweep.runs.run import run
    from hydra_plugins.framesweep_sweeper import current_trial

    runtime = HydraConfig.get().runtime
    in_sweep = is_in_sweep()
    try:
        run_config = to_run_config(config, Path(runtime.cwd))
        if run_config.sweep.preview:
            rule = "shows what a grid or a search would train"
            raise ConfigError("sweep.preview", rule, found=True, fix="Add -m, or leave it out.")
        preset = runtime.choices.get("sweep")
        if preset and not in_sweep:
            hint = f"Add -m to sweep: {train_command(['-m', f'sweep={preset}'])}"
            if is_in_python():
                hint = f"To sweep: {python_call('sweep', [f'sweep={preset}'])}"
            print(f"warning: sweep={preset} trains one run. {hint}", file=sys.stderr)
        return run(run_config, Path(runtime.output_dir), in_sweep=in_sweep)
    except Interrupted as error:
        if in_sweep and current_trial() is None:
            raise KeyboardInterrupt from error
        raise
