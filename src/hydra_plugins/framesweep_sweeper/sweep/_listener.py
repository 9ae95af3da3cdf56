"""The object of `hydra.sweeper.listener`, through which an application follows a sweep."""

import logging
from collections.abc import Callable
from typing import Any, Literal, Protocol

from omegaconf import DictConfig
from optuna.study import Study
from optuna.trial import FrozenTrial

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper._hydra import instantiate_own
from hydra_plugins.framesweep_sweeper.sweep._settings import read_directions

log = logging.getLogger(__name__)

SweepStatus = Literal["FINISHED", "KILLED", "FAILED"]
"""How a sweep ended, in the words of MLflow's run states."""


class Listener(Protocol):
    """Is notified of a sweep's progress, in the process of the sweeper.

    A listener that knows the names of the objectives may have a method `objectives(config)`
    that returns them. One that knows which configs are valid may have a method
    `validate(config)`, which raises an error for a trial's config that would be refused. One
    that has something to do once for all trials may have a method `prepare(config, keys)`: it
    is called before the study exists, if the trials run on this machine, with the config that
    they have in common and the keys that are searched. One that knows what to do with the
    results may have a method `next_steps(study)` that returns lines, shown at the end.
    """

    def on_start(self, study: Study, config: Any) -> None:
        """Handle the start of the sweep, before its first trial. An error ends the sweep."""
        ...

    def on_trial_end(self, study: Study, trial: FrozenTrial) -> None:
        """Handle the end of a trial: complete, pruned or failed after its last attempt."""
        ...

    def on_end(self, study: Study, status: SweepStatus) -> None:
        """Handle the end of the sweep. KILLED means that a signal interrupted it."""
        ...


class NoOpListener:
    """A listener that does nothing, for a sweep that has none."""

    def on_start(self, study: Study, config: Any) -> None: ...
    def on_trial_end(self, study: Study, trial: FrozenTrial) -> None: ...
    def on_end(self, study: Study, status: SweepStatus) -> None: ...


def build_listener(config: DictConfig | None) -> Listener:
    """Return the application's listener; without a config, one that does nothing.

    Only the config's own `_target_` may be instantiated, and nothing nested in it.
    """
    return instantiate_own(config) or NoOpListener()


def check_objectives(listener: Listener, direction: Any, config: DictConfig) -> None:
    """Check that there is one direction for each objective that the listener names.

    Raises:
        SweepError: there are more directions than objectives, or fewer.
    """
    name_objectives = getattr(listener, "objectives", None)
    if name_objectives is None:
        return
    names, directions = name_objectives(config), read_directions(direction)
    if len(names) != len(directions):
        raise SweepError(
            f"hydra.sweeper.direction: must be one for each objective ({', '.join(names)}); "
            f"found {', '.join(directions)}. Give {len(names)}"
        )


def prepare_trials(listener: Listener, config: DictConfig, keys: list[str]) -> None:
    """Let the listener prepare what all trials need, if it does; its error ends the sweep."""
    prepare = getattr(listener, "prepare", None)
    if prepare is not None:
        prepare(config, keys)


def list_next_steps(listener: Listener, study: Study) -> list[str]:
    """Return the lines in which the listener says what to do with the results, if it does."""
    describe = getattr(listener, "next_steps", None)
    return list(describe(study)) if describe is not None else []


def notify_safely(notify: Callable[..., None], *args: Any) -> None:
    """Call a listener's method; an error is logged, and the sweep continues.

    Once trials are running, a tracking server that is away must not cost their results.
    """
    try:
        notify(*args)
    except Exception as error:
        log.warning("the sweep's listener failed (%s: %s)", type(error).__name__, error)
