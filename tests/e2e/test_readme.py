"""Every command that the README shows, run as it stands on less data."""

import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from documents import REPOSITORY, commands_of
from e2e.walkthrough import after_run, label_recordings, run_training

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
COMMANDS = list(dict.fromkeys(command.text for command in commands_of("README.md")))
QUICKSTART = "python train.py"
TRAINING = [
    c
    for c in COMMANDS
    if c.startswith("python train.py ") and not c.startswith("python train.py resume")
]
LABEL = [c for c in COMMANDS if c.startswith("framesweep label")]
AFTER_RUN = [
    c for c in COMMANDS if ("RUN_ID" in c and c not in LABEL) or c.startswith("framesweep runs")
]
KEYS = [c for c in COMMANDS if c.startswith("framesweep keys")]
SETUP = [c for c in COMMANDS if c.startswith(("make", "pip"))]
SERVERS = [c for c in COMMANDS if c.startswith("framesweep ui")]
NOT_RUN = {
    "git clone https://github.com/framesweep/framesweep": "needs a network",
    "cd framesweep": "changes the folder of a shell",
}


def test_every_command_is_tried_here():
    tried = {QUICKSTART, *TRAINING, *AFTER_RUN, *LABEL, *KEYS, *SETUP, *SERVERS, *NOT_RUN}
    assert [c for c in COMMANDS if c not in tried] == []
    assert [c for c in NOT_RUN if c not in COMMANDS] == []


@pytest.mark.heavy
@pytest.mark.parametrize("command", TRAINING)
def test_training(tracked_shell, placed, command):
    output = run_training(tracked_shell, placed(command))
    if "--help" in command:
        assert (
            "data: demo, hw1p2, hw1p2_folders, kaldi, libriphone, segments, timit_11" in output
        )


def test_quickstart_prints_lines_as_the_readme_shows_them(shell):
    (shown,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    small = [f"data.{split}_minutes=0.2" for split in ("train", "dev", "test")]
    printed = shell.train(*small, "hardware=cpu", "hardware.threads=2").stdout
    # After so few minutes of speech, a run may end with advice against overfitting.
    lines = [line for line in printed.splitlines() if not line.startswith("dev accuracy fell")]
    assert [pattern(line) for line in lines] == [pattern(line) for line in shown.splitlines()]


def pattern(line: str) -> str:
    """The line without what differs from run to run: numbers, precision, folders and ids."""
    line = re.sub(r"(\S*/)?outputs/runs/\S+", "FOLDER", line)
    line = re.sub(r"\b[0-9a-f]{32}\b", "ID", line)
    line = re.sub(r"[0-9][0-9,.]*[kM]? frames/s", "N frames/s", line)
    return re.sub(r"\b(bf16|fp32)\b", "PRECISION", re.sub(r"[0-9][0-9,.]*", "N", line))


def test_after_a_run(shell):
    after_run(shell, AFTER_RUN)


def test_recordings_are_labelled(tmp_path, monkeypatch):
    assert LABEL
    monkeypatch.chdir(tmp_path)
    label_recordings(tmp_path, LABEL)


@pytest.mark.parametrize("command", KEYS)
def test_keys_are_explained(shell, command):
    key = shlex.split(command)[-1]
    assert key in shell.framesweep(*shlex.split(command)[1:]).stdout


@pytest.mark.parametrize("command", SERVERS)
def test_servers_come_up_and_go_down(shell, command):
    executable = Path(sys.executable).with_name("framesweep")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    process = subprocess.Popen(
        [str(executable), *shlex.split(command)[1:], "--port", port],
        cwd=shell.folder,
        env=shell.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        assert process.wait(timeout=300) in (0, 130)
    finally:
        process.kill()


@pytest.mark.parametrize("command", SETUP)
def test_setup(command):
    dry = {"make": ["--dry-run"], "pip": ["--dry-run", "--quiet"]}
    words = shlex.split(command)
    if words[0] == "pip":
        words = [sys.executable, "-m", *words]
    done = subprocess.run(
        [*words, *dry[shlex.split(command)[0]]],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
