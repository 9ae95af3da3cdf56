"""Validates the overrides of a call: a list of texts, as the words of a command line."""

import warnings
from collections.abc import Iterable, Mapping

from framesweep.config.groups import rename_warnings
from framesweep.config.paths import expand_override
from framesweep.errors import ConfigError
from framesweep.sweeps.grid_parent import select_sweep_overrides

SWEEP_FLAGS = ("-m", "--multirun")
"""Flags that start a sweep on the command line. `sweep` accepts them but needs none."""


def read_overrides(overrides: object, *, in_sweep: bool = False) -> list[str]:
    """Return the overrides of a call as a list, with `~` expanded.

    Args:
        overrides: What the caller gave.
        in_sweep: Whether the call starts a sweep.

    Raises:
        ConfigError: if they are not a list of texts, or one of them is a flag.
    """
    if isinstance(overrides, str | Mapping) or not isinstance(overrides, Iterable):
        rule = 'must be a list of texts such as ["model=wide", "data.context=15"]'
        raise ConfigError("overrides", rule, found=overrides)
    texts = list(overrides)
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise ConfigError("overrides", 'must be texts such as "train.epochs=3"', found=text)
        if text in SWEEP_FLAGS and not in_sweep:
            fix = "Call sweep instead of train; it needs no flag."
            raise ConfigError("overrides", "must contain no flag", found=text, fix=fix)
        if text.startswith("-") and text not in SWEEP_FLAGS:
            fix = "Flags belong to the command line."
            raise ConfigError("overrides", "must contain no flag", found=text, fix=fix)
    texts = [text for text in texts if text not in SWEEP_FLAGS]
    for line in rename_warnings(texts):
        warnings.warn(line, FutureWarning, stacklevel=4)
    return [expand_override(text) for text in texts]


def require_single_values(overrides: list[str]) -> None:
    """Check that no override lists values of a sweep.

    Raises:
        ConfigError: if one does.
    """
    for key, swept in select_sweep_overrides(overrides).items():
        fix = "Call sweep to train one run for each value."
        raise ConfigError(key, "must be a single value to train one run", found=swept, fix=fix)
