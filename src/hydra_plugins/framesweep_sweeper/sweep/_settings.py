"""The settings of `hydra.sweeper`: validating them, and turning them into objects."""

import math
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf
from optuna.study import StudyDirection

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper._hydra import instantiate_allowed
from hydra_plugins.framesweep_sweeper.storage._retrying_storage import TRANSIENT_ERRORS
from hydra_plugins.framesweep_sweeper.sweep._known_keys import check_keys
from hydra_plugins.framesweep_sweeper.sweep._search_end import SearchEnd, read_stop_when
from hydra_plugins.framesweep_sweeper.trials._constraints import read_constraints

STUDY_NAME = re.compile(r"[\w.-]+")
POSITIVE = ("max_hours", "trial_minutes")
"""Settings that must be above 0, or null."""
LEAST = {
    **{"n_trials": 1, "devices_per_job": 1, "jobs_per_device": 1},
    **{"retries": 0, "heartbeat": 1, "stop_seconds": 0, "max_history": 100},
}
"""The smallest values of numbers."""
AUTO = "auto"


@dataclass(frozen=True)
class LoopSettings:
    """Those settings that the loop of a sweep follows; see `FramesweepSweeperConf`."""

    n_trials: int
    n_jobs: int
    max_failure_rate: float
    repeat_duplicates: bool
    stop_seconds: float
    num_points: float = math.inf
    """The number of points of the space."""


def check_settings(settings: dict[str, Any]) -> None:
    """Check the keys, the numbers and the name of the study.

    Raises:
        SweepError: a key does not exist, a number is out of bounds, or the name cannot be a
            directory's.
    """
    check_keys(settings)
    _check_n_jobs(settings["n_jobs"])
    for key, bound in LEAST.items():
        if settings[key] < bound:
            raise SweepError(
                f"hydra.sweeper.{key}: must be {bound} or more; found {settings[key]}"
            )
    for key in POSITIVE:
        if (limit := settings[key]) is not None and not 0 < limit < math.inf:
            raise SweepError(
                f"hydra.sweeper.{key}: must be above 0 and finite, or null; found {limit}"
            )
    read_constraints(settings["constraints"])
    read_stop_when(settings["stop_when"], len(read_directions(settings["direction"])))
    rate, name = settings["max_failure_rate"], settings["study_name"]
    if not 0 <= rate <= 1:
        raise SweepError(
            f"hydra.sweeper.max_failure_rate: must be between 0 and 1; found {rate}"
        )
    if name is not None and not STUDY_NAME.fullmatch(name):
        raise SweepError(
            "hydra.sweeper.study_name: must consist of letters, digits and . _ - only, because "
            f"it names a directory; found {name!r}"
        )


def _check_n_jobs(value: Any) -> None:
    if value == AUTO or (type(value) is int and value >= 1):
        return
    raise SweepError(f"hydra.sweeper.n_jobs: must be 1 or more, or {AUTO}; found {value}")


def read_directions(direction: Any) -> list[str]:
    """Return the directions in `hydra.sweeper.direction`, which is one name or a list.

    Raises:
        SweepError: a name is neither minimize nor maximize.
    """
    given = direction if isinstance(direction, list | ListConfig) else [direction]
    names = [getattr(d, "name", str(d)) for d in given]
    if not names or any(name not in ("minimize", "maximize") for name in names):
        raise SweepError(
            "hydra.sweeper.direction: must be minimize or maximize, or a list of these; "
            f"found {direction}"
        )
    return names


def build_search_end(settings: dict[str, Any]) -> SearchEnd:
    """Return the ends of the search other than its total."""
    directions = read_directions(settings["direction"])
    stop_when = read_stop_when(settings["stop_when"], len(directions))
    return SearchEnd(settings["max_hours"], stop_when, StudyDirection[directions[0].upper()])


def to_plain_dict(config: DictConfig | None) -> dict[str, Any]:
    """Return a config as a dict of plain values, with interpolations resolved."""
    plain = OmegaConf.to_container(config, resolve=True) if config else {}
    return cast(dict[str, Any], plain)


def load_custom_search_space(
    settings: dict[str, Any],
) -> Callable[[DictConfig, Any], Any] | None:
    """Return the function that `hydra.sweeper.custom_search_space` names, or None.

    It is called with the config and the trial, as in hydra-optuna-sweeper. Its errors become
    SweepErrors that name it.

    Raises:
        SweepError: there is no such function.
    """
    target = settings["custom_search_space"]
    if not target:
        return None
    try:
        function: Callable[[DictConfig, Any], Any] = instantiate_allowed(
            {"_target_": target, "_partial_": True}, target
        )
    except HydraException as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise SweepError(
            "hydra.sweeper.custom_search_space: must be the dotted path of a function "
            f"({reason}); found {target}"
        ) from error
    return partial(_suggest, function, target)


def _suggest(
    function: Callable[[DictConfig, Any], Any], target: str, config: DictConfig, trial: Any
) -> Any:
    try:
        return function(config, trial)
    except (SweepError, *TRANSIENT_ERRORS):
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise SweepError(
            "hydra.sweeper.custom_search_space: must be a function that raises no error "
            f"({reason}, in {place.filename}, line {place.lineno}); found {target}"
        ) from error
