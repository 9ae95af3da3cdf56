"""Completes the arguments of the commands of framesweep, as click declares them."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from framesweep.commands import COMMANDS
from framesweep.completion.candidates import (
    Answer,
    Candidate,
    find_outputs_folder,
    list_run_candidates,
    list_study_candidates,
    starting_with,
)
from framesweep.completion.overrides import complete_overrides, walk_keys

SPLITS = ("train", "dev", "test")
SORT_KEYS = ("start", "accuracy", "epochs", "name", "state", "study", "dev/loss")


def complete_command(words: Sequence[str], current: str) -> Answer:
    """Return what can stand for the last word of a command line of framesweep.

    Args:
        words: the words between `framesweep` and it.
        current: what has been typed of it.
    """
    if not words:
        names = [Candidate(name, note=note) for name, note in COMMANDS.items()]
        return starting_with(current, [*names, Candidate("--help"), Candidate("--version")])
    name, *arguments = words
    if name == "train":
        return complete_overrides(arguments, current)
    if name not in COMMANDS:
        return []
    command: click.Command = importlib.import_module(f"framesweep.commands.{name}").command
    while isinstance(command, click.Group):
        if not arguments:
            names = [
                Candidate(name, note=one.get_short_help_str())
                for name, one in command.commands.items()
            ]
            return starting_with(current, names)
        command = command.commands.get(arguments.pop(0), click.Command(""))
    return _complete_parameter(command, arguments, current)


def _complete_parameter(command: click.Command, words: Sequence[str], current: str) -> Answer:
    options = {
        name: parameter
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    given: dict[str, str] = {}
    positional = []
    waiting: click.Option | None = None
    for word in words:
        if waiting is not None:
            given[waiting.name or ""] = word
            waiting = None
        elif word in options:
            waiting = None if _is_flag(options[word]) else options[word]
        elif not word.startswith("-"):
            positional.append(word)
    if waiting is not None:
        return _complete_value(waiting, given, [], current)
    if current.startswith("-"):
        listed = [Candidate(name, note=one.help or "") for name, one in options.items()]
        return starting_with(current, [*listed, Candidate("--help")])
    parameter = _current_argument(command, len(positional))
    return [] if parameter is None else _complete_value(parameter, given, positional, current)


def _is_flag(option: click.Option) -> bool:
    return option.is_flag or option.count


def _current_argument(command: click.Command, number: int) -> click.Argument | None:
    """Return the argument that the positional word with this number belongs to."""
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    for argument in arguments:
        if argument.nargs < 0 or number < argument.nargs:
            return argument
        number -= argument.nargs
    return None


def _complete_value(
    parameter: click.Parameter, given: dict[str, str], words: Sequence[str], current: str
) -> Answer:
    """Return the values of an option or argument, by its name and its type."""
    name, kind = parameter.name or "", parameter.type
    outputs = find_outputs_folder(given.get("outputs"))
    named = f"{parameter.metavar or ''} {name.upper()}"
    if "STUDY" in named or "RUN_ID" in named:
        studies = list_study_candidates(outputs) if "STUDY" in named else []
        runs = list_run_candidates(outputs, given.get("uri")) if "RUN_ID" in named else []
        found = starting_with(current, [*runs, *studies])
        # A run's directory names it, too; and `label` takes files after the runs.
        return "files" if current and not found and "RUN_ID" in named else found
    if name == "overrides":
        return complete_overrides(words, current)
    choices = _list_choices(name, kind)
    if choices:
        return starting_with(current, [Candidate(choice) for choice in choices])
    if isinstance(kind, click.Path):
        return "files" if kind.file_okay else "dirs"
    return "files" if isinstance(kind, click.File) or kind is Path else []


def _list_choices(name: str, kind: click.ParamType[Any]) -> Sequence[str]:
    if isinstance(kind, click.Choice):
        return [str(choice) for choice in kind.choices]
    if name == "patterns":
        return list(dict.fromkeys(key for key, _ in walk_keys({})))
    return {"split": SPLITS, "sort": SORT_KEYS}.get(name, ())
