"""The class that Hydra instantiates for `hydra/sweeper=framesweep`."""

import sys
from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class FramesweepSweeper(Sweeper):
    """Search with Optuna: prune trials, run them asynchronously, and resume their study.

    Args:
        settings: the keys of `config.FramesweepSweeperConf`.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take what Hydra hands over before it calls `sweep`."""
        self.hydra_context = hydra_context
        self.config = config
        self._task_function = task_function

    def sweep(self, arguments: list[str]) -> None:
        """Run the sweep that the overrides in `arguments` describe.

        Raises:
            SystemExit: with code 2 for a wrong setting, 1 if too many trials failed, and
                128 + signal if the sweep was interrupted.
        """
        from hydra_plugins.framesweep_sweeper._errors import SweepError

        try:
            signum = self.search(arguments)
        except SweepError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(error.exit_code)
        if signum:
            sys.stderr.flush()
            sys.exit(128 + signum)

    def search(self, arguments: list[str]) -> int:
        """Run the sweep as `sweep` does, for an application that handles errors itself.

        Returns:
            The signal that ended the sweep early, or 0.

        Raises:
            SweepError: a setting is wrong, too many trials failed, or the storage of the study
                could not be reached.
        """
        # Hydra imports this module at every start of every application that has the plugin
        # installed, so Optuna and SQLAlchemy are imported only once a sweep begins.
        from hydra_plugins.framesweep_sweeper._errors import FailedSweepError
        from hydra_plugins.framesweep_sweeper.storage._retrying_storage import (
            GIVE_UP_SECONDS,
            TRANSIENT_ERRORS,
            describe_outage,
        )
        from hydra_plugins.framesweep_sweeper.sweep._run import run_sweep

        assert self.config is not None
        assert self.hydra_context is not None
        try:
            return run_sweep(
                self._settings, self.hydra_context, self._task_function, self.config, arguments
            )
        except TRANSIENT_ERRORS as error:
            raise FailedSweepError(
                f"hydra.sweeper.storage: could not be reached for {GIVE_UP_SECONDS:.0f} s "
                f"({describe_outage(error)}). Start the same sweep again to resume the study."
            ) from error
