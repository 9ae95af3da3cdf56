"""Rewrites errors of Hydra and OmegaConf as one line: the key, the rule, the value, the fix.

The libraries raise few exception types with long texts, so that the facts are taken from the
text by regular expressions. What none of them matches is printed as it is, on one line.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from yaml import YAMLError

from framesweep.config.command_line import is_in_python
from framesweep.config.groups import option_groups
from framesweep.config.messages.refusals import describe_refusal
from framesweep.config.messages.unknown_keys import describe_unknown_key, describe_unknown_part
from framesweep.config.user_files import (
    describe_container,
    describe_missing_package,
    find_choice,
    locate,
)
from framesweep.credentials import scrub
from hydra_plugins.framesweep_sweeper.search._syntax import explain_sweep

EXTRAS = {"submitit": "slurm", "ray": "ray", "joblib": "joblib"}
"""The extra of this package that installs hydra-<name>-launcher."""

PRIMARY = "config"
"""Hydra's name of conf/config.yaml, where the options that the user typed are put in place."""

TYPES = {"Integer": "an integer", "Float": "a number", "bool": "true or false"}


def describe_config_error(
    error: Exception, keys: Iterable[str], arguments: Sequence[str] = ()
) -> str:
    """Return what is wrong with a config, in one line without credentials.

    Args:
        error: An exception of Hydra or OmegaConf during composition.
        keys: All existing keys and groups, from which the nearest is suggested.
        arguments: The command line, which names the folders of the user's own files.
    """
    text, known = str(error), list(keys)
    if error.__cause__ is not None and str(error.__cause__) not in text:
        text = f"{text}\n{error.__cause__}"
    if (refusal := describe_refusal(text)) is not None:
        return scrub(refusal)
    line = _unknown_key(text, known, arguments) or _unknown_option(text, arguments)
    line = line or _not_a_mapping(text, known, arguments) or _other_error(text, arguments)
    line = line or _bad_value(text) or _syntax_error(text)
    return scrub(_with_file(line or _first_paragraph(text), text, arguments))


def _with_file(line: str, text: str, arguments: Sequence[str]) -> str:
    """Return the line after the path of the file that Hydra names, if there is one."""
    found = re.match(r"In '([^']+)': ", text)
    if found is None or found.group(1) == PRIMARY:
        return line
    path = locate(found.group(1), arguments)
    line = line.removeprefix(found.group(0))
    line = re.sub(r"^\w+ raised while composing config: ", "", line)
    if found.group(1).startswith("sweep/") and "has no such key" in line:
        line += ". Choose one of these, or type sweep=bare and a space of your own"
    # Hydra names its schemas in the same way, for which there is no file.
    is_complete = line.startswith(f"{path}: ") or not path.is_file()
    return line if is_complete else f"{path}: {line}"


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
    tab = " Indent with spaces, not with tabs." if _has_tab(mark, reason) else ""
    return scrub(f"{where}: must be valid YAML ({reason}).{tab}")


def _has_tab(mark: Any, reason: str) -> bool:
    """Return whether a tab is the reason for an error in YAML; not every parser says so."""
    if "'\\t'" in reason:
        return True
    path = Path(mark.name) if mark is not None else None
    if path is None or not path.is_file():
        return False
    lines = path.read_text("utf-8", errors="replace").splitlines()
    return any("\t" in re.split(r"[^\s]", line)[0] for line in lines[mark.line : mark.line + 1])


def describe_bad_choice(
    error: Exception, arguments: Iterable[str], groups: Collection[str]
) -> str | None:
    """Return which argument chooses no option of its group, as `model=5`, or None.

    Args:
        error: An exception during composition. Hydra does not say which argument is at fault.
        arguments: The command line.
        groups: The names of all config groups.
    """
    if str(error).startswith("Only one of --run, --multirun"):
        fix = "Leave out -m to see the config of one job."
        return f"-m: cannot be combined with --cfg, --info or --shell-completion. {fix}"
    if "Config group override must be a string" not in str(error):
        return None
    for argument in arguments:
        group, _, option = argument.partition("=")
        if group in groups and not re.search(r"[a-z]", option.replace("null", "")):
            return f"{group}: must be the name of an option; found {option!r}"
    return _first_paragraph(str(error))


def _unknown_key(text: str, keys: Sequence[str], arguments: Sequence[str]) -> str | None:
    found = re.search(r"Could not override '([^']+)'", text)
    # In a file of the user's own, the key is only in the last line.
    found = found or re.search(r"Key '[^']+' (?:is )?not in .*full_key: (\S+)", text, re.DOTALL)
    if found is None or "not in " not in text:
        return None
    key = found.group(1)
    if f"full_key: {key}." in text:  # the key is a dictionary, as tracking.tags
        return f"{key}: must have the prefix ++ to add an entry. Type ++{key}=..."
    schema = re.search(r"object_type=(\w+)", text)
    line = describe_missing_package(key, arguments) or describe_unknown_part(key, text)
    return line or describe_unknown_key(key, schema[1] if schema else "", keys, arguments)


def _not_a_mapping(text: str, keys: Sequence[str], arguments: Sequence[str]) -> str | None:
    found = re.match(r"In '([^']+)': ", text)
    if found is None or not ("Merge error" in text or "Cannot merge" in text):
        return None
    return describe_container(locate(found.group(1), arguments), keys)


def _other_error(text: str, arguments: Sequence[str]) -> str | None:
    """Return a line about an error of Hydra whose own text does not say what to type."""
    conflict = re.search(r"Multiple values for (\S+)\. To override a value use '(.+)'", text)
    if conflict:
        of_file = re.search(r"'[^']+' from '([^']+)'", text)
        where = f"{locate(of_file.group(1), arguments)}: " if of_file else ""
        group, option = conflict.group(1), conflict.group(2).removeprefix("override ")
        rule = f"must replace the option of {group} in its defaults"
        return f"{where}{rule}. Type '- override /{option}' there"
    missing = re.search(r"In '([^']+)': Could not load '([^']+)'", text)
    if missing:
        return f"its defaults name {missing.group(2)}, for which there is no file"
    if "not support sweep type : INTERVAL_SWEEP" in text:
        named = [one for one in arguments if "interval(" in one]
        key = named[0].partition("=")[0] if named else "hydra.sweeper.params"
        rule = "interval(...) needs a search, because a grid has only listed values"
        fixes = ["Add sweep=bare", f"or list values as {key}=1,2,3"]
        return f"{key}: {rule}. {', '.join(fixes if named else fixes[:1])}"
    if group := re.search(r"Could not override '(hydra/sweeper/\w+)'\. No match", text):
        return f"{group.group(1)}: belongs to a search. Add sweep=bare"
    return None


def _unknown_option(text: str, arguments: Sequence[str]) -> str | None:
    found = re.search(r"Could not find '(.+)/([^/']+)'", text)
    options = re.search(r"Available options in '[^']+':\n((?:\t.+\n?)+)", text)
    if found is None or options is None:
        return None
    names = " ".join(name for name in options.group(1).split() if not name.startswith("_"))
    group, option = found.groups()
    line = f"{group}: must be one of {names}; found '{option}'"
    chosen_in = find_choice(group, option, arguments)
    return f"{chosen_in}: {line}" if chosen_in else line


def _bad_value(text: str) -> str | None:
    key = re.search(r"full_key: (\S+)", text)
    if key is None:
        return None
    refused = r"(?:of type .* could not be converted to|is not a valid)"
    converted = re.search(rf"Value '(.*)' {refused} (\w+)", text)
    if converted:
        kind = TYPES.get(converted.group(2), converted.group(2))
        return f"{key.group(1)}: must be {kind}; found '{converted.group(1)}'"
    choice = re.search(r"Invalid value '(.*)', expected one of \[(.*)\]", text)
    if choice:
        names = " ".join(dict.fromkeys(re.sub("[',]", "", choice.group(2)).split()))
        return f"{key.group(1)}: must be one of {names}; found '{choice.group(1)}'"
    union = re.search(r"Value '(.*)' of type .* is incompatible with type hint '(.*)'", text)
    if union:
        kinds = " or a list of numbers" if "list[" in union.group(2) else ""
        return f"{key.group(1)}: must be a number{kinds}; found {union.group(1)}"
    return f"{key.group(1)}: {_explain_value(key.group(1), text)}"


def _explain_value(key: str, text: str) -> str:
    if "is not Optional" in text:
        return "must have a value, not null"
    if re.search(r"is not a ListConfig|incompatible container[\s\S]*object_type=list", text):
        return f"must be a list. Write {key}=[A,B], or {key}=[A] for a single value."
    if re.search(r"incompatible container|Cannot assign .* to Dict|is not a subclass of", text):
        prefix = "++" if "Dict[" in text else ""
        return f"must be a mapping of keys to values. Write {prefix}{key}.KEY=VALUE."
    skipped = "Error merging|raised while composing config:"
    return next(x for x in text.splitlines() if not re.search(skipped, x)).strip()


def _syntax_error(text: str) -> str | None:
    found = re.search(r"Error when parsing index: \d+, string: (.*) out of \[.*\]", text)
    if found is None:
        return None
    key, equals, value = found.group(1).partition("=")
    if not equals:
        return _bare_word(key)
    if explained := explain_sweep(value):
        return f"{key}: {explained[0]}; found {value!r}. {explained[1]}"
    fix = f"{'Quote' if is_in_python() else 'In a shell, quote'} as '{key}=\"...\"'"
    return f"{key}: must be a value in Hydra's syntax; found {found.group(1)!r}. {fix}"


def _bare_word(word: str) -> str:
    groups = [group for group, names in option_groups().items() if word in names]
    fix = f". Did you mean {groups[0]}={word}?" if groups else ""
    return f"{word}: must be KEY=VALUE{fix}"


def _first_paragraph(text: str) -> str:
    return " ".join(text.partition("Config search path:")[0].split())
