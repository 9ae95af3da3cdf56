"""Completes the arguments of train.py: groups, options, keys and values."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from framesweep.completion.candidates import (
    Answer,
    Candidate,
    find_outputs_folder,
    list_run_candidates,
    starting_with,
)
from framesweep.config import SCHEMAS, RunConfig
from framesweep.config.groups import option_groups, read_options
from framesweep.config.user_files import FOLDER_FLAGS

FLAGS = {
    "--multirun": "sweep",
    "--help": "list groups, options and flags",
    "--cfg": "print the config (--cfg job) instead of training",
    "--config-dir": "folder with options of your own",
}

SEARCH_KEYS = {
    "hydra.sweeper.n_trials": "number of trials of a search",
    "hydra.sweeper.study_name": "name of a search",
    "hydra.sweeper.storage": "database of searches",
    "hydra.run.dir": "directory of the run",
}
"""Keys of Hydra and of the sweeper that are typed most often."""

NAMES = {
    "activation": ("relu", "gelu", "silu", "leaky_relu"),
    "objective": (
        *("dev/accuracy", "dev/speech_accuracy", "dev/macro_accuracy", "dev/edge_accuracy"),
        *("dev/loss", "dev/phone_error_rate", "dev/accuracy_48", "dev/phone_error_rate_48"),
        *("dev/accuracy_39", "dev/phone_error_rate_39", "dev/accuracy_unstressed"),
        *("dev/phone_error_rate_unstressed", "train/loss", "train/accuracy"),
        *("train/frames_per_second", "model/params"),
    ),
}
"""Values of keys, by their last parts, that name an entry of a registry.

The registries import torch, which takes seconds; a test compares them with these names.
"""

PATH_KEYS = ("root", "cache", "outputs", "dir")
"""Last parts of keys whose values are paths."""


def complete_overrides(words: Sequence[str], current: str) -> Answer:
    """Return what can stand for the last word of a command line of train.py.

    Args:
        words: the words before it.
        current: what has been typed of it.
    """
    if words and words[-1] in FOLDER_FLAGS:
        return "dirs"
    if current.startswith("-"):
        flags = (Candidate(flag, note=note) for flag, note in FLAGS.items())
        return starting_with(current, flags)
    mark = current[: len(current) - len(current.lstrip("+~"))]
    key, equals, value = current[len(mark) :].partition("=")
    values = dict(word.lstrip("+~").partition("=")[::2] for word in words)
    if equals:
        return _complete_value(mark, key, value, values)
    names = {**_list_groups(), **_list_keys(values), **SEARCH_KEYS}
    names["resume"] = "continue a run that was stopped"
    return starting_with(current, _next_parts(mark, key, names))


def _next_parts(mark: str, typed: str, names: dict[str, str]) -> Iterator[Candidate]:
    """Yield the names that begin as typed, as far as their next dot.

    All keys in one list would be longer than a screen.
    """
    seen = set()
    for name, note in names.items():
        if not name.startswith(typed):
            continue
        dot = name.find(".", len(typed))
        text = f"{name}=" if dot < 0 else name[: dot + 1]
        if text not in seen:
            seen.add(text)
            yield Candidate(f"{mark}{text}", is_final=False, note=note if dot < 0 else "")


def _list_groups() -> dict[str, str]:
    return {group: f"{', '.join(options)}"[:60] for group, options in option_groups().items()}


def _list_keys(values: dict[str, str]) -> dict[str, str]:
    """Return the keys of the config that the options on the command line have."""
    return {key: _describe(kind) for key, kind in walk_keys(values)}


def walk_keys(values: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield each key and its type; of a group, those of the option that has been chosen."""
    yield from _walk(RunConfig, "", values)


def _walk(schema: type, prefix: str, values: dict[str, str]) -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(schema)
    for field in fields(cast(Any, schema)):
        key, kind = f"{prefix}{field.name}", hints[field.name]
        if key in SCHEMAS:
            for option in _chosen_schemas(key, values.get(key)):
                yield from _walk(option, f"{key}.", values)
        elif is_dataclass(kind):
            yield from _walk(cast(type, kind), f"{key}.", values)
        else:
            yield key, kind


def _chosen_schemas(group: str, chosen: str | None) -> list[type]:
    """Return the schema of an option; all of the group if none or several are chosen."""
    if chosen is not None:
        for option in read_options(group):
            if option.name == chosen:
                return [SCHEMAS[group][option.schema]]
    return list(SCHEMAS[group].values())


def _complete_value(mark: str, key: str, value: str, values: dict[str, str]) -> Answer:
    if key == "resume":
        outputs = find_outputs_folder(values.get("outputs"))
        found = list_run_candidates(outputs, values.get("tracking.uri"))
    elif key in option_groups():
        found = [Candidate(one.name, note=one.summary) for one in read_options(key)]
    else:
        part = key.rpartition(".")[2]
        if part in PATH_KEYS:
            return "files"
        kinds = dict(walk_keys(values))
        names = NAMES.get(part, ()) if key in kinds else ()
        found = [Candidate(text) for text in (*names, *list_values(kinds.get(key)))]
    # In a sweep, values are separated by commas.
    head, comma, last = value.rpartition(",")
    return [
        Candidate(f"{mark}{key}={head}{comma}{one.text}", one.is_final, one.note)
        for one in found
        if one.text.startswith(last)
    ]


def list_values(kind: Any) -> list[str]:
    """Return the values of a type that has a few; an empty list for any other type."""
    if get_origin(kind) is Literal:
        return [
            str(value).lower() if isinstance(value, bool) else str(value)
            for value in get_args(kind)
        ]
    if kind is bool:
        return ["true", "false"]
    if get_origin(kind) is UnionType:
        return [value for part in get_args(kind) for value in list_values(part)]
    return ["null"] if kind is type(None) else []


def _describe(kind: Any) -> str:
    values = list_values(kind)
    names = [part.__name__ for part in (get_args(kind) or (kind,)) if isinstance(part, type)]
    return (
        ", ".join(values[:6])
        if values and values != ["null"]
        else " or ".join(name for name in names if name != "NoneType")
    )
