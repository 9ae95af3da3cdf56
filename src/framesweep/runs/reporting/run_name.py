"""Names a run by what was swept or overridden."""

from framesweep.config import RunConfig
from framesweep.config.differences import changed_keys
from framesweep.config.plain import flatten
from framesweep.sweeps.context import SweepContext, list_task_overrides
from framesweep.sweeps.run_names import name_by_overrides


def name_run(config: RunConfig, sweep: SweepContext) -> str:
    """Return the name that the config gives, or else one made of what was swept or changed."""
    if name := config.tracking.run_name or sweep.name:
        return name
    overrides = list_task_overrides()
    if overrides is None:
        values = flatten(config)
        overrides = [f"{key}={values[key]}" for key in changed_keys(config)]
    return name_by_overrides(overrides)
