"""The application's listener, which follows a sweep."""

import logging
from collections.abc import Callable
from typing import Any, Literal, Protocol

from hydra.utils import instantiate
from omegaconf import DictConfig
from optuna.study import Study
from optuna.trial import FrozenTrial

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.sweep._settings import read_directions

log = logging.getLogger(__name__)

Status = Literal["FINISHED", "KILLED", "FAILED"]


class Listener(Protocol):
    """Follows a sweep from the sweeper's process; built from `hydra.sweeper.listener`.

    One that knows the objectives' names may also have `objectives(config)`, which gives them.
    """

    def on_start(self, study: Study, config: Any) -> None:
        """Before the first trial; what it raises ends the sweep."""
        ...

    def on_trial_end(self, study: Study, trial: FrozenTrial) -> None: ...

    def on_end(self, study: Study, status: Status) -> None: ...


class _NoOpListener:
    """The listener of a sweep that has none."""

    def on_start(self, study: Study, config: Any) -> None: ...
    def on_trial_end(self, study: Study, trial: FrozenTrial) -> None: ...
    def on_end(self, study: Study, status: Status) -> None: ...


def build_listener(config: DictConfig | None) -> Listener:
    """The application's listener; its config names the only target that may be built."""
    if config is None:
        return _NoOpListener()
    listener: Listener = instantiate(config, _execution_whitelist_=config._target_)
    return listener


def check_objectives(listener: Listener, direction: Any, config: DictConfig) -> None:
    """Raises SweepError where the listener names more objectives than directions, or fewer."""
    name_objectives = getattr(listener, "objectives", None)
    if name_objectives is None:
        return
    names, directions = name_objectives(config), read_directions(direction)
    if len(names) != len(directions):
        raise SweepError(
            f"hydra.sweeper.direction: must be one for each objective ({', '.join(names)}); "
            f"found {', '.join(directions)}. Give {len(names)}"
        )


def notify_safely(notify: Callable[..., None], *args: Any) -> None:
    """Calls a listener once trials run: whatever becomes of it, the sweep goes on."""
    try:
        notify(*args)
    except Exception as error:
        log.warning("the sweep's listener failed (%s: %s)", type(error).__name__, error)
