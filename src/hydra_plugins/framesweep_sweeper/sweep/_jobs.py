"""From a claimed trial to a job: its parameters, its overrides and its config."""

from collections.abc import Callable, Iterable
from typing import Any

from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict
from optuna import Trial

from hydra_plugins.framesweep_sweeper._credentials import hide_credentials
from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.search._space import SearchSpace, strip_affixes
from hydra_plugins.framesweep_sweeper.trials._claim import Claim
from hydra_plugins.framesweep_sweeper.workers._pool import Job
from hydra_plugins.framesweep_sweeper.workers._task import SERIAL_VARIABLE

OVERRIDES = "overrides"
"""User attribute of a trial: the application's overrides that make its config, with `***` in
place of passwords. Whoever may read a study may read all of its attributes."""


def prepare_job(
    space: SearchSpace,
    hydra_context: HydraContext,
    config: DictConfig,
    custom: Callable[[DictConfig, Any], Any] | None,
    check: Callable[[Claim, DictConfig], None],
    claim: Claim,
) -> Job:
    """Suggest the parameters of a claimed trial, and compose the config of its job.

    Args:
        space: the search space.
        hydra_context: the context that Hydra hands to a sweeper; it composes configs.
        config: the config of the sweep.
        custom: the function of `hydra.sweeper.custom_search_space`, or None.
        check: raises an error for a claimed trial whose job must not run.
        claim: the claimed trial.

    Raises:
        Exception: whatever Hydra raises for overrides that do not fit together.
    """
    overrides = suggest_overrides(space, config, custom, claim.trial)
    claim.trial.set_user_attr(OVERRIDES, [hide_credentials(line) for line in overrides])
    # The number of the claim travels with the config; a job without it could not tell that its
    # trial has been taken over.
    overrides = [*overrides, f"++hydra.job.env_set.{SERIAL_VARIABLE}='{claim.serial}'"]
    job_config = hydra_context.config_loader.load_sweep_config(config, overrides)
    with open_dict(job_config):
        job_config.hydra.job.id = str(claim.number)
        job_config.hydra.job.num = claim.number
    check(claim, job_config)
    return Job(claim.number, overrides, job_config)


def suggest_overrides(
    space: SearchSpace,
    config: DictConfig,
    custom: Callable[[DictConfig, Any], Any] | None,
    trial: Trial,
) -> list[str]:
    """Choose the parameters of a trial, and return its overrides; see `prepare_job`.

    Raises:
        SweepError: the custom search space suggests a key whose value is fixed.
    """
    choices = config.hydra.runtime.choices

    def default_of(key: str) -> Any:
        return choices[key] if key in choices else OmegaConf.select(config, key)

    overrides = space.suggest(trial, default_of)
    if custom is not None:
        custom(config, trial)
        # A trial that is tried again or resumed has the parameters of its first attempt.
        known = {dimension.key for dimension in space.searched}
        added = {key: value for key, value in trial.params.items() if key not in known}
        _require_free(space, added)
        overrides += [f"{key}={value}" for key, value in added.items()]
    return overrides


def _require_free(space: SearchSpace, added: Iterable[str]) -> None:
    fixed = {strip_affixes(key): value for key, value in space.fixed.items()}
    for key in added:
        if (bare := strip_affixes(key)) in fixed:
            raise SweepError(
                f"{bare}: must not have a fixed value, because hydra.sweeper."
                f"custom_search_space suggests it; found {fixed[bare]}. Remove one of them"
            )
