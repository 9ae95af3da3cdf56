"""framesweep completion."""

import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from framesweep import cli
from framesweep.commands.completion import SHELLS, command, read_script


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_printed_and_parsed_by_its_shell(shell):
    script = CliRunner().invoke(command, [shell]).output
    assert script == read_script(shell)
    if (path := shutil.which(shell)) is not None:
        done = subprocess.run(
            [path, "-n"], input=script, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("flag", ["-sc", "--shell-completion"])
def test_the_flag_of_hydra_prints_the_script_that_works(monkeypatch, capsys, flag):
    monkeypatch.setattr(sys, "argv", ["train.py", flag, "install=bash"])
    with pytest.raises(SystemExit) as ended:
        cli.train()
    assert ended.value.code == 0
    assert capsys.readouterr().out == read_script("bash")
