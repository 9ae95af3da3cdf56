"""The sweeper as Hydra sees it: `hydra/sweeper=framesweep`."""

import sys
from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class FramesweepSweeper(Sweeper):
    """Optuna without a barrier, with pruning and resume; settings in `config`."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.hydra_context = hydra_context
        self.config = config
        self._task_function = task_function

    def sweep(self, arguments: list[str]) -> None:
        from hydra_plugins.framesweep_sweeper._errors import SweepError
        from hydra_plugins.framesweep_sweeper.sweep._run import run_sweep

        assert self.config is not None
        assert self.hydra_context is not None
        try:
            signum = run_sweep(
                self._settings, self.hydra_context, self._task_function, self.config, arguments
            )
        except SweepError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(error.exit_code)
        if signum:
            sys.stderr.flush()
            sys.exit(128 + signum)
