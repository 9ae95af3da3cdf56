"""Rules on single values that neither a type nor a range expresses."""

import pkgutil
import re
from collections.abc import Iterable

from framesweep.errors import ConfigError


def require_odd_kernel(key: str, value: int, unit: str = "frames") -> None:
    """Raise ConfigError unless a kernel has an odd number of frames, or of steps."""
    if value % 2 == 0:
        rule = f"must be odd, with as many {unit} on each side of the middle one"
        raise ConfigError(key, rule, found=value)


def require_model_name(key: str, name: str) -> None:
    """Raise ConfigError unless MLflow's model registry accepts `name`."""
    # A slash, a colon and an at-sign separate the parts of models:/NAME/VERSION and
    # models:/NAME@ALIAS; a quotation mark would end the name in a query.
    if not re.fullmatch(r"[^/:@'\"\s]([^/:@'\"\n]{0,254}[^/:@'\"\s])?", name) or name in (
        ".",
        "..",
    ):
        rule = "must be a name of up to 256 characters without / : @ and quotation marks"
        raise ConfigError(key, rule, found=name)


def require_metrics(objective: str, further: Iterable[str]) -> None:
    """Check that the objectives are different metrics.

    Args:
        objective: `objective`.
        further: `further_objectives`.

    Raises:
        ConfigError: one of them is no metric, or is listed twice.
    """
    # Resolved by name when a run or a sweep starts: the registry imports torch.
    metrics = pkgutil.resolve_name("framesweep.evaluation.metrics:METRICS")
    seen: set[str] = set()
    for key, name in [("objective", objective), *(("further_objectives", f) for f in further)]:
        # The size of a network is the same in every epoch, so that it can be an objective of a
        # search, but not select the best epoch.
        known = metrics.keys() - ({"model/params"} if key == "objective" else set())
        if name not in known:
            raise ConfigError(key, f"must be one of {' '.join(sorted(known))}", found=name)
        if name in seen:
            rule = "must not contain the objective, or a metric twice"
            raise ConfigError(key, rule, found=name, fix="Remove it.")
        seen.add(name)
