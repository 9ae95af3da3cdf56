"""Which metrics can be the objectives of a run, a grid or a search."""

import pkgutil
from collections.abc import Iterable

from framesweep.errors import ConfigError


def require_metrics(objective: str, further: Iterable[str]) -> None:
    """Check the names of the objectives.

    Args:
        objective: `objective`.
        further: `further_objectives`.

    Raises:
        ConfigError: one of them is no metric.
    """
    # Resolved by name when a run or a sweep starts: the registry imports torch.
    metrics = pkgutil.resolve_name("framesweep.evaluation.metrics:METRICS")
    for key, name in [("objective", objective), *(("further_objectives", f) for f in further)]:
        # The size of a network is the same in every epoch, so that it can be an objective of a
        # search, but not select the best epoch.
        known = metrics.keys() - ({"model/params"} if key == "objective" else set())
        if name not in known:
            raise ConfigError(key, f"must be one of {' '.join(sorted(known))}", found=name)
