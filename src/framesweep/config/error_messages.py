"""Rewrites errors of Hydra and OmegaConf as one line: the key, the rule, the value, the fix.

The libraries raise few exception types with long texts, so that the facts are taken from the
text by regular expressions. What none of them matches is printed as it is, on one line.
"""

import difflib
import re
from collections.abc import Collection, Iterable

from yaml import YAMLError

from framesweep.credentials import scrub

EXTRAS = {"submitit": "slurm", "ray": "ray", "joblib": "joblib"}
"""The extra of this package that installs hydra-<name>-launcher."""

TYPES = {"Integer": "an integer", "Float": "a number", "Boolean": "true or false"}


def describe_config_error(error: Exception, keys: Iterable[str]) -> str:
    """Return what is wrong with a config, in one line without credentials.

    Args:
        error: An exception of Hydra or OmegaConf during composition.
        keys: All existing keys and groups, from which the nearest is suggested.
    """
    text = str(error)
    if error.__cause__ is not None and str(error.__cause__) not in text:
        text = f"{text}\n{error.__cause__}"
    line = _unknown_key(text, keys) or _unknown_option(text) or _bad_value(text)
    return scrub(line or _syntax_error(text) or _first_paragraph(text))


def describe_missing_launcher(error: Exception) -> str | None:
    """Return which extra to install if `error` means that a launcher is missing, or None."""
    found = re.search(r"'hydra_plugins\.(hydra_(\w+)_launcher)\.", str(error))
    extra = EXTRAS.get(found.group(2)) if found else None
    if found is None or extra is None:
        return None
    package = found.group(1).replace("_", "-")
    return f'hydra/launcher: {package} is not installed. Run: pip install "framesweep[{extra}]"'


def describe_yaml_error(error: YAMLError) -> str:
    """Return which file and line are not YAML, and why, in one line."""
    mark = getattr(error, "problem_mark", None)
    where = "YAML" if mark is None else f"{mark.name}, line {mark.line + 1}"
    reason = getattr(error, "problem", None) or _first_paragraph(str(error))
    tab = " Indent with spaces, not with tabs." if "'\\t'" in reason else ""
    return scrub(f"{where}: must be valid YAML ({reason}).{tab}")


def describe_bad_choice(
    error: Exception, arguments: Iterable[str], groups: Collection[str]
) -> str | None:
    """Return which argument chooses no option of its group, as `model=5`, or None.

    Args:
        error: An exception during composition. Hydra does not say which argument is at fault.
        arguments: The command line.
        groups: The names of all config groups.
    """
    if "Config group override must be a string" not in str(error):
        return None
    for argument in arguments:
        group, _, option = argument.partition("=")
        if group in groups and not re.search(r"[a-z]", option.replace("null", "")):
            return f"{group}: must be the name of an option; found {option!r}"
    return _first_paragraph(str(error))


def _unknown_key(text: str, keys: Iterable[str]) -> str | None:
    found = re.search(r"Could not override '([^']+)'", text)
    # In a file of the user's own, the key is only in the last line.
    found = found or re.search(r"Key '[^']+' (?:is )?not in .*full_key: (\S+)", text, re.DOTALL)
    if found is None or "not in " not in text:
        return None
    key = found.group(1)
    if f"full_key: {key}." in text:  # the key is a dictionary, as tracking.tags
        return f"{key}: must have the prefix ++ to add an entry. Type ++{key}=..."
    near = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
    return f"{key}: no such key" + (f". Did you mean {near[0]}?" if near else "")


def _unknown_option(text: str) -> str | None:
    found = re.search(r"Could not find '(.+)/([^/']+)'", text)
    options = re.search(r"Available options in '[^']+':\n((?:\t.+\n?)+)", text)
    if found is None or options is None:
        return None
    names = " ".join(name for name in options.group(1).split() if not name.startswith("_"))
    return f"{found.group(1)}: must be one of {names}; found '{found.group(2)}'"


def _bad_value(text: str) -> str | None:
    key = re.search(r"full_key: (\S+)", text)
    if key is None:
        return None
    converted = re.search(r"Value '(.*)' of type .* could not be converted to (\w+)", text)
    if converted:
        kind = TYPES.get(converted.group(2), converted.group(2))
        return f"{key.group(1)}: must be {kind}; found '{converted.group(1)}'"
    choice = re.search(r"Invalid value '(.*)', expected one of \[(.*)\]", text)
    if choice:
        names = choice.group(2).replace("'", "").replace(",", "")
        return f"{key.group(1)}: must be one of {names}; found '{choice.group(1)}'"
    reason = next(line for line in text.splitlines() if "Error merging" not in line)
    return f"{key.group(1)}: {reason.strip()}"


def _syntax_error(text: str) -> str | None:
    found = re.search(r"Error when parsing index: \d+, string: (.*) out of \[.*\]", text)
    if found is None:
        return None
    key = found.group(1).partition("=")[0]
    fix = f"In a shell, quote as '{key}=\"...\"'"
    return f"{key}: must be a value in Hydra's syntax; found {found.group(1)!r}. {fix}"


def _first_paragraph(text: str) -> str:
    return " ".join(text.partition("Config search path:")[0].split())
