"""The command without its script."""

import subprocess
import sys

import pytest

from framesweep import __version__


@pytest.mark.parametrize("module", ["framesweep", "framesweep.cli"])
def test_the_command_runs_as_a_module(module):
    done = subprocess.run(
        [sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith(f"version {__version__}")
    assert done.stderr == ""


def test_an_error_of_the_command_run_as_a_module_is_one_line():
    command = [sys.executable, "-m", "framesweep", "keys", "--nonsense"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such option" in done.stderr
    assert "Traceback" not in done.stderr
