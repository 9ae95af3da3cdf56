"""The commands and links in the documentation, and what they must look like to be valid."""

import argparse
import functools
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Sweep
from hydra.types import RunMode

from framesweep.cli import COMMANDS as FRAMESWEEP_COMMANDS
from framesweep.cli import _framesweep
from framesweep.config.composition import register
from framesweep.config.groups import find_conf

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
DOCUMENTS = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for pattern in ("*.md", "docs/*.md", "outputs/*.md")
    for path in REPOSITORY.glob(pattern)
)
_BLOCK = re.compile(r"^```(bash|ipython)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_REFERENCE = re.compile(r"^\[[^\]]+\]:\s+(\S+)$", re.MULTILINE)
_INLINE = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a document, without prompt, comment and line continuations."""

    document: str
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)

    @property
    def name(self) -> str:
        return self.words[0]

    def __str__(self) -> str:
        return f"{self.document}: {self.text}"


def commands_of(document: str) -> Iterator[Command]:
    """The commands in a document's blocks of bash, and in those of a notebook.

    A notebook's lines of Python are no commands; its `!` and `%` are left out.
    """
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    for language, block in _BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            command = re.sub(r"\s+", " ", line.split("  #")[0]).strip()
            if language == "ipython":
                if command[:1] not in ("!", "%"):
                    continue
                command = command[1:]
            if command and not command.startswith("#"):
                yield Command(document, command)


COMMANDS = [command for document in DOCUMENTS for command in commands_of(document)]


def links_of(document: str) -> list[str]:
    """The targets of all links and pictures of a document."""
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    return [*_REFERENCE.findall(text), *_INLINE.findall(text)]


def check(words: list[str]) -> None:
    """Fail unless this project's part of a command can be parsed.

    Whatever the configuration, a command line or pyproject.toml defines has to exist: groups,
    options and keys, subcommands and their options, extras.
    """
    checkers: dict[str, Callable[[list[str]], None]] = {
        "python": _check_python,
        "framesweep": _check_framesweep,
        "docker": _check_docker,
        "torchrun": _check_torchrun,
        "sbatch": _check_sbatch,
        "systemd-run": _check_systemd_run,
        "mlflow": _check_mlflow,
        "pip": _check_pip,
    }
    checkers[words[0]](words[1:])


def _check_python(words: list[str]) -> None:
    assert words[0] == "train.py", words
    compose(words[1:])


def _check_framesweep(words: list[str]) -> None:
    name, *arguments = words
    if name == "train":
        compose(arguments)
        return
    assert name in FRAMESWEEP_COMMANDS
    command = _framesweep.get_command(click.Context(_framesweep), name)
    assert command is not None
    context = command.make_context(name, list(arguments), resilient_parsing=False)
    if "overrides" in context.params:
        compose(list(context.params["overrides"]))


def _check_torchrun(words: list[str]) -> None:
    from torch.distributed.run import get_args_parser

    parsed = get_args_parser().parse_args(words)
    _check_python([parsed.training_script, *parsed.training_script_args])


def _check_sbatch(words: list[str]) -> None:
    """The command that a job runs; Slurm's own options are left to Slurm."""
    check(shlex.split(words[words.index("--wrap") + 1]))


def _check_docker(words: list[str]) -> None:
    """The command that a container runs; Docker's own options are left to Docker."""
    assert (REPOSITORY / "Dockerfile").exists()
    if words[0] == "run":
        (image,) = [i for i, word in enumerate(words) if word.partition(":")[0] == "framesweep"]
        check(["framesweep", *words[image + 1 :]])


def _check_systemd_run(words: list[str]) -> None:
    check(words[words.index("python") :])


def _check_mlflow(words: list[str]) -> None:
    from mlflow.cli import cli

    name, *arguments = words
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    command.make_context(name, arguments)


def _check_pip(words: list[str]) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("command", choices=["install"])
    parser.add_argument("-c", type=lambda name: (REPOSITORY / name).read_text())
    parser.add_argument("-e", "--editable", default="")
    parser.add_argument("--index-url")
    parser.add_argument("packages", nargs="*")
    requirement = parser.parse_args(words).editable
    if requirement:
        folder, _, extras = requirement.partition("[")
        assert folder == "."
        named = {extra for extra in extras.rstrip("]").split(",") if extra}
        assert named <= PROJECT["optional-dependencies"].keys()


def compose(arguments: list[str]) -> None:
    """Compose what `python train.py` would run or sweep over with these arguments.

    A sweep is composed twice: as the sweeper gets it, and with the first value of each key that
    is swept over, as a job gets it.
    """
    if "--help" in arguments:
        return
    # `resume` is taken out of the command line before Hydra sees it.
    given = [argument for argument in arguments if not argument.startswith("resume=")]
    if "--cfg" in given:  # Hydra's own option, which has a value
        place = given.index("--cfg")
        given = [*given[:place], *given[place + 2 :]]
    _compose(tuple(given))


@functools.cache  # many commands are in several documents
def _compose(given: tuple[str, ...]) -> None:
    overrides = [argument for argument in given if argument not in ("-m", "--multirun")]
    register()
    with initialize_config_dir(str(find_conf())):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        if len(overrides) < len(given):
            hydra.compose_config(
                "config", overrides, run_mode=RunMode.MULTIRUN, from_shell=True
            )
            parsed = OverridesParser.create().parse_overrides(overrides)
            overrides = [_first_value(override) for override in parsed]
        hydra.compose_config("config", overrides, run_mode=RunMode.RUN, from_shell=True)


def _first_value(override: Override) -> str:
    """The override with one value in place of a choice, a range or an interval."""
    if not override.is_sweep_override():
        return str(override.input_line)
    value = override.value()
    assert isinstance(value, Sweep)
    if override.is_interval_sweep():
        first = str(value.start)
    else:
        first = next(iter(override.sweep_string_iterator()))
    return f"{override.get_key_element()}={first}"
