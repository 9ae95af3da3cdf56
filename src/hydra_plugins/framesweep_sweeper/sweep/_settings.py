"""The settings of `hydra.sweeper`: checked, and made into objects."""

import logging
import re
from collections.abc import Callable
from typing import Any, cast

from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from hydra_plugins.framesweep_sweeper._errors import SweepError

log = logging.getLogger(__name__)


NAME = re.compile(r"[\w.-]+")


def check_settings(settings: dict[str, Any]) -> None:
    """Raises SweepError for a number or a name that cannot be."""
    least = {"n_trials": 1, "n_jobs": 1, "retries": 0, "heartbeat": 1, "stop_seconds": 0}
    for key, bound in least.items():
        if settings[key] < bound:
            raise SweepError(
                f"hydra.sweeper.{key}: must be {bound} or more; found {settings[key]}"
            )
    rate, name = settings["max_failure_rate"], settings["study_name"]
    if not 0 <= rate <= 1:
        raise SweepError(
            f"hydra.sweeper.max_failure_rate: must be between 0 and 1; found {rate}"
        )
    if name is not None and not NAME.fullmatch(name):
        raise SweepError(
            "hydra.sweeper.study_name: names a directory, so letters, digits and . _ - only; "
            f"found {name!r}"
        )


def read_directions(direction: Any) -> list[str]:
    """The directions of `hydra.sweeper.direction`: one name, or a list of names."""
    given = direction if isinstance(direction, list | ListConfig) else [direction]
    names = [getattr(d, "name", str(d)) for d in given]
    if not names or any(name not in ("minimize", "maximize") for name in names):
        raise SweepError(
            f"hydra.sweeper.direction: must be minimize or maximize, or a list; found {names}"
        )
    return names


def to_plain_dict(config: DictConfig | None) -> dict[str, Any]:
    plain = OmegaConf.to_container(config, resolve=True) if config else {}
    return cast(dict[str, Any], plain)


def load_custom_search_space(
    settings: dict[str, Any],
) -> Callable[[DictConfig, Any], Any] | None:
    """The function of `hydra.sweeper.custom_search_space`, as the stock sweeper has it."""
    target = settings["custom_search_space"]
    if not target:
        return None
    try:
        function: Callable[[DictConfig, Any], Any] = instantiate(
            {"_target_": target, "_partial_": True}, _execution_whitelist_=target
        )
    except HydraException as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise SweepError(
            "hydra.sweeper.custom_search_space: must be the dotted path of a function "
            f"({reason}); found {target}"
        ) from error
    return function
