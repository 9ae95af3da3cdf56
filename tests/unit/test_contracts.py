"""What users and their scripts rely on: a change of it has to be meant.

    python tests/unit/test_contracts.py

writes the expectations in contracts/ anew.
"""

import difflib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from omegaconf import OmegaConf

from framesweep.cli import COMMANDS, _framesweep
from framesweep.config import SCHEMAS
from framesweep.config.composition import compose, register
from framesweep.config.groups import UNLISTED, find_conf
from framesweep.config.plain import flatten
from framesweep.credentials import URI_VARIABLE
from framesweep.data.store import frame_store, prepared
from framesweep.evaluation.metrics import METRICS
from framesweep.training import checkpoints

EXPECTED = Path(__file__).with_name("contracts")


def command_line() -> Iterator[str]:
    """Every command of `framesweep` with its arguments, options and defaults."""
    context = click.Context(_framesweep)
    for name in COMMANDS:
        command = _framesweep.get_command(context, name)
        assert command is not None
        yield from parameters(name, command)


def parameters(name: str, command: click.Command) -> Iterator[str]:
    """The parameters of a command, or those of each command in a group."""
    for parameter in command.params:
        names = "/".join([*parameter.opts, *parameter.secondary_opts])
        default = "" if callable(parameter.default) else f" = {plain(parameter.default)}"
        if getattr(parameter, "is_flag", False) and default == " = False":
            default = " = none"  # of a flag, click before 8.5 has its own sign for none
        required = " required" if parameter.required else ""
        yield f"{name} {parameter.param_type_name} {names}{default}{required}"
    if isinstance(command, click.Group):
        for child, subcommand in command.commands.items():
            yield from parameters(f"{name} {child}", subcommand)


def plain(value: object) -> str:
    """A default as text; click's own sign for none differs from release to release."""
    simple = isinstance(value, str | int | float | bool | tuple)
    return repr(value) if simple else "none"


def config_keys() -> Iterator[str]:
    """Every key of every schema with its default; names of all options of all groups."""
    for group, schemas in SCHEMAS.items():
        for name, schema in schemas.items():
            values: Any = OmegaConf.to_container(OmegaConf.structured(schema))
            for key, value in values.items():
                yield f"{group} ({name}) {key} = {value}"
    own = flatten(compose([]))
    for key, value in own.items():
        if key.split(".")[0] not in SCHEMAS:
            yield f"{key} = {value}"
    for path in sorted(find_conf().glob("*/*.yaml")):
        if not path.stem.startswith(UNLISTED):
            yield f"option {path.parent.name}={path.stem}"


def metric_names() -> Iterator[str]:
    """Names under which the best epoch can be chosen, searched for and compared."""
    yield from sorted(METRICS)


def formats() -> Iterator[str]:
    """Versions of what is kept on disk, and the variables of the environment."""
    yield f"prepared corpus: {prepared.FORMAT}"
    yield f"view of a corpus: {frame_store.VIEW_FORMAT}"
    yield f"checkpoint: {checkpoints.FORMAT}"
    folder, last, best = checkpoints.CHECKPOINT_FOLDER, checkpoints.LAST, checkpoints.BEST
    yield f"files: {folder}/{last} {folder}/{best}"
    outputs = yaml.safe_load((find_conf() / "config.yaml").read_text())["outputs"]
    yield f"outputs: {outputs}"
    yield f"tracking: {URI_VARIABLE}"


CONTRACTS: dict[str, Callable[[], Iterator[str]]] = {
    "command_line": command_line,
    "config_keys": config_keys,
    "metric_names": metric_names,
    "formats": formats,
}


RENEW = "python tests/unit/test_contracts.py"


def lines_of(name: str) -> list[str]:
    return [line for entry in CONTRACTS[name]() for line in entry.splitlines()]


@pytest.mark.parametrize("name", CONTRACTS)
def test_it_is_as_promised(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAMESWEEP_OUTPUTS", raising=False)
    monkeypatch.chdir("/")
    register()
    expected = (EXPECTED / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    found = lines_of(name)
    changes = [line for line in difflib.ndiff(expected, found) if not line.startswith(" ")]
    assert changes == [], f"if this change of {name}.txt is meant: {RENEW}"


if __name__ == "__main__":
    import os

    os.environ.pop("FRAMESWEEP_OUTPUTS", None)
    os.chdir("/")
    register()
    for contract in CONTRACTS:
        text = "".join(f"{line}\n" for line in lines_of(contract))
        (EXPECTED / f"{contract}.txt").write_text(text, encoding="utf-8")
    sys.exit()
