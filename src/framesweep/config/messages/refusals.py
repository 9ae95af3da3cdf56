"""Describes what Hydra never does: call what must not be called, or remove keys of a schema."""

import re

from framesweep.config import SCHEMAS

ALLOW_VARIABLE = "FRAMESWEEP_ALLOW"
"""Environment variable with the patterns of objects, as mymodule.*, that configs may call."""

_MISSING = re.compile(
    r"has missing mandatory value[^\n]*\n\s*full_key: (?P<key>\S+)"
    r"|resolving interpolation '\$\{(?P<group>\w+)\}'"
)


def describe_refusal(text: str) -> str | None:
    """Return what Hydra refuses and what to do instead, or None for an error of another kind.

    Args:
        text: The text of an exception of Hydra, with that of its cause.
    """
    if re.search("MOTPESamplerConfig|'motpe' sampler was removed", text):
        # Its option still exists, without the keys that those of all other samplers have.
        rule = "must be a sampler that Optuna has; found motpe, which it has removed"
        return f"hydra/sweeper/sampler: {rule}. Choose tpe or nsgaii for several objectives"
    return _deletion(text) or _refused_target(text)


def _deletion(text: str) -> str | None:
    if "does not support deletion" in text and (found := re.search(r"full_key: (\S+)", text)):
        key = found.group(1)
        fix = f"Leave out ~{key} for its default, or type {key}=null if it may be null"
        return f"{key}: is a key of the schema and cannot be removed. {fix}"
    if found := _MISSING.search(text):
        key = found.group("key") or found.group("group")
        if key in SCHEMAS:
            return f"{key}: must be the name of an option. Leave out ~{key} for the default"
        if found.group("key"):
            return f"{key}: must have a value; found ???. Leave it out for its default"
    return None


def _refused_target(text: str) -> str | None:
    """Return a line about an object that Hydra does not call because a config names it."""
    target = re.search(
        r"Target '([^']+)'.* (is not in|cannot be authorized by) the\s+Hydra\s+execution", text
    )
    if target is None:
        return None
    full_key = re.search(r"full_key: (\S+)", text)
    name, can_be_allowed = target.group(1), target.group(2) == "is not in"
    if can_be_allowed:
        rule = f"must be allowed before it may run code; found {name}"
        fix = f"If you trust it, set {ALLOW_VARIABLE}={name} in the environment"
    else:
        rule = f"must not be an object that does whatever a config says; found {name}"
        fix = "Write a function or class that does what you need, and allow that"
    return f"{full_key.group(1) if full_key else '_target_'}: {rule}. {fix}"
