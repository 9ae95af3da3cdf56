"""The entry points."""

import importlib

import pytest

from framesweep import cli
from framesweep.cli import COMMANDS


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "train"])
def test_every_command_has_a_module_and_says_what_it_does(name):
    command = importlib.import_module(f"framesweep.commands.{name}").command
    assert command.get_short_help_str(limit=200)
    for parameter in command.params:
        assert parameter.param_type_name == "argument" or parameter.help, parameter.name


def test_train_is_the_command_that_hydra_configures(monkeypatch):
    calls = []
    monkeypatch.setattr("framesweep.train_command.run", lambda: calls.append("run"))
    cli.train()
    assert calls == ["run"]
