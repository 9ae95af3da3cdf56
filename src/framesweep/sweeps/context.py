"""What a run knows about the sweep that it belongs to."""

import os
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field

from omegaconf import DictConfig, open_dict, read_write

from framesweep.config.composition import to_run_config
from framesweep.sweeps.run_names import name_by_values
from hydra_plugins.framesweep_sweeper import CurrentTrial, current_trial

PARENT_ATTR = "mlflow_parent_run"
"""Attribute of a study with the id of the MLflow run that its trials are nested under."""

PARENT_VARIABLE, SWEPT_VARIABLE = "FRAMESWEEP_PARENT_RUN", "FRAMESWEEP_SWEPT"
"""Environment variables of a grid's jobs: the id of their parent, and the keys it sweeps."""

SWEPT_PREFIX = "_swept/"
"""Prefix of swept params; an underscore sorts before the lower-case names of all others."""


def to_bare_key(key: str) -> str:
    """Return an override's key as the config has it: without `+`, `~`, `@package` and value."""
    return key.lstrip("+~").partition("=")[0].partition("@")[0]


@dataclass(frozen=True, slots=True)
class SweepContext:
    """A run's place in a sweep; empty for a run outside of one.

    Attributes:
        name: name for the run, made of the swept values; None if there are none.
        swept: key -> value of what the sweep varies.
    """

    parent_run_id: str | None = None
    name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    swept: Mapping[str, object] = field(default_factory=dict)

    def to_params(self) -> dict[str, object]:
        """Return the swept values as params that MLflow's UI lists first."""
        return {f"{SWEPT_PREFIX}{key}": value for key, value in self.swept.items()}


def find_sweep_context() -> SweepContext:
    """Return the sweep context of the job that this process runs."""
    trial = current_trial()
    if trial is not None:
        return _build_trial_context(trial)
    parent = os.environ.get(PARENT_VARIABLE)
    if not parent:
        return SweepContext()
    keys = os.environ.get(SWEPT_VARIABLE, "").split()
    overrides = _read_task_overrides() if keys else {}
    swept = {key: value for key, value in overrides.items() if key in keys}
    return SweepContext(parent, name_by_values(swept) or None, {}, swept)


def _build_trial_context(trial: CurrentTrial) -> SweepContext:
    tags = {
        "study": trial.study_name,
        "trial": str(trial.number),
        "attempt": str(trial.attempt),
    }
    swept = {to_bare_key(key): value for key, value in trial.params.items()}
    name = name_by_values(swept, f"trial {trial.number}: ")
    return SweepContext(trial.study_attr(PARENT_ATTR), name, tags, swept)


def _read_task_overrides() -> dict[str, str]:
    """Return the overrides of the running Hydra job: bare key -> value."""
    pairs = (override.partition("=") for override in list_task_overrides() or [])
    return {to_bare_key(key): value for key, _, value in pairs}


def list_task_overrides() -> list[str] | None:
    """Return the overrides of the running Hydra job; None outside of one."""
    from hydra.core.hydra_config import HydraConfig

    if not HydraConfig.initialized():
        return None
    return list(HydraConfig.get().overrides.task)


def list_choices() -> dict[str, str]:
    """Return group -> chosen option of the running Hydra job; {} outside of one."""
    from hydra.core.hydra_config import HydraConfig

    if not HydraConfig.initialized():
        return {}
    choices = HydraConfig.get().runtime.choices
    return {str(group): str(option) for group, option in choices.items() if option}


def require_valid(config: DictConfig) -> None:
    """Check the composed config of a run of a sweep, without what needs its data.

    Raises:
        ConfigError: a value breaks its rule.
    """
    # Resolved by name when a sweep starts: the registry imports torch, --help must not.
    require_activation = pkgutil.resolve_name("framesweep.models.build:require_activation")
    require_activation(to_run_config(remove_hydra(config)).model)


def remove_hydra(config: DictConfig) -> DictConfig:
    """Return a copy of a composed config with only the application's part."""
    config = config.copy()
    with read_write(config), open_dict(config):
        del config["hydra"]
    return config
