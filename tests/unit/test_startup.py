"""Ctrl-C while a command imports its modules."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from framesweep.startup import ended_by_ctrl_c

TRAIN = str(Path(__file__).parents[2] / "train.py")


@pytest.mark.parametrize(
    ("command", "module"),
    [([TRAIN], "click"), ([TRAIN], "hydra"), (["-m", "framesweep", "runs"], "click")],
)
def test_ctrl_c_in_an_import_ends_a_command_without_a_traceback(command, module, tmp_path):
    interrupt = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    (tmp_path / f"{module}.py").write_text(interrupt)
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_python_handles_ctrl_c_again_afterwards():
    before = signal.getsignal(signal.SIGINT)
    with ended_by_ctrl_c():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_another_handler_stays():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with ended_by_ctrl_c():
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
