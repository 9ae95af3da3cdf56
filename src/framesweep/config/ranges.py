"""Rules on single values that a schema's types cannot express."""

import math
import re

from framesweep.errors import ConfigError


def require_between(key: str, value: float, low: float, high: float, fix: str = "") -> None:
    """Raise ConfigError unless `low <= value <= high`."""
    if not low <= value <= high:
        raise ConfigError(key, f"must be between {low:,} and {high:,}", found=value, fix=fix)


def require_odd_kernel(key: str, value: int, high: int, unit: str = "frames") -> None:
    """Raise ConfigError unless a kernel is odd and has from 1 to `high` frames, or steps."""
    require_between(key, value, 1, high)
    if value % 2 == 0:
        rule = f"must be odd, with as many {unit} on each side of the middle one"
        raise ConfigError(key, rule, found=value)


def require_at_least(key: str, value: float, low: float, fix: str = "") -> None:
    """Raise ConfigError unless `low <= value` and `value` is finite."""
    if not low <= value < math.inf:
        raise ConfigError(key, f"must be at least {low:,}", found=value, fix=fix)


def require_share(key: str, value: float) -> None:
    """Raise ConfigError unless `0 <= value < 1`."""
    if not 0 <= value < 1:
        raise ConfigError(key, "must be at least 0 and below 1", found=value)


def require_positive(key: str, value: float, fix: str = "") -> None:
    """Raise ConfigError unless `value` is above 0 and finite."""
    if not 0 < value < math.inf:
        raise ConfigError(key, "must be above 0", found=value, fix=fix)


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
