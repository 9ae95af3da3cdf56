"""Describes a key that the chosen options do not have: which options have it, or a near one."""

import difflib
import re
from collections.abc import Collection, Sequence

from framesweep.config import SCHEMAS
from framesweep.config.effects import declared_effects, declared_keys
from framesweep.config.groups import default_options, read_options
from hydra_plugins.framesweep_sweeper.sweep._known_keys import KNOWN

SWEEPER = "hydra.sweeper."
"""Prefix of the keys of a search."""

SHOW_KEYS = "--cfg hydra --package hydra.sweeper in place of -m"
"""What prints the keys of a search, with those of its sampler and its pruner."""


def default_keys() -> list[str]:
    """Return the keys of the config that `train.py` uses unless options are typed."""
    keys = [key for key in declared_effects() if key.partition(".")[0] not in SCHEMAS]
    for option in default_options():
        keys += declared_keys(SCHEMAS[option.group][option.schema], f"{option.group}.")
    return keys


def describe_unknown_key(
    key: str, schema: str, keys: Collection[str], arguments: Sequence[str] = ()
) -> str:
    """Return what is wrong with a key that does not exist, and what to type.

    Args:
        key: The key, as `optim.beta1`.
        schema: The name of the class that has no such key, as `SgdConfig`, or "".
        keys: All keys and groups of the default config.
        arguments: The command line, for the option that was typed.
    """
    group = key.partition(".")[0]
    having = _options_with(key)
    if having and group in SCHEMAS:
        typed = [one for one in arguments if one.startswith(f"{group}=")]
        has = "have" if len(having) > 1 else "has"
        *first, last = [f"{group}={name}" for name in having]
        only = f"only {' and '.join(filter(None, [', '.join(first), last]))} {has}"
        given = [one.partition("=")[2] for one in arguments if one.startswith(f"{key}=")]
        if typed and given and set(re.findall(r"\w+", typed[-1])) <= {group, "choice", *having}:
            # Before its jobs, Hydra composes a sweep with the default option of each group.
            fix = f"Type '{key}=choice({given[-1]})'"
            return f"{key}: must be swept as well, because {typed[-1]} is. {fix}"
        if typed:
            return f"{key}: {typed[-1]} has no such key; {only} it"
        return f"{key}: {only} this key"
    if key.startswith(SWEEPER):
        existing = [f"{SWEEPER}{name}" for name in sorted(KNOWN)]
        if key in existing:  # but not in the sweeper of grids
            return f"{key}: only searches have this key. Add sweep=bare"
    else:
        existing = _existing_keys(group, schema, keys)
    near = difflib.get_close_matches(key, existing, n=1, cutoff=0.5)
    return f"{key}: no such key" + (f". Did you mean {near[0]}?" if near else "")


def describe_unknown_part(key: str, text: str) -> str | None:
    """Return what is wrong with a key of the sampler or pruner; None for any other key.

    Args:
        key: The key, as `hydra.sweeper.pruner.deviation`.
        text: The error, in which OmegaConf names a similar key of the chosen one.
    """
    parent, _, name = key.rpartition(".")
    if not parent.startswith(SWEEPER):
        return None
    near = re.search(rf"Key '{name}' not in .* Did you mean: '(\w+)'", text)
    fix = f"Did you mean {parent}.{near[1]}?" if near else f"{SHOW_KEYS} prints the keys"
    return f"{key}: no such key. {fix}"


def _options_with(key: str) -> list[str]:
    """Return the options of the key's group that have it; none if all have it."""
    group = key.partition(".")[0]
    options = read_options(group) if group in SCHEMAS else []
    having = [
        option.name
        for option in options
        if key in declared_keys(SCHEMAS[group][option.schema], f"{group}.")
    ]
    return having if len(having) < len(options) else []


def _existing_keys(group: str, schema: str, keys: Collection[str]) -> list[str]:
    """Return the keys that exist, given the schema of one group."""
    for option in SCHEMAS.get(group, {}).values():
        if option.__name__ == schema:
            others = [key for key in keys if key.partition(".")[0] != group]
            return [*declared_keys(option, f"{group}."), group, *others]
    return list(keys)
