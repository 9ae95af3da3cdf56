"""Every command that the README shows, run as it stands on less data."""

import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
COMMANDS = [line.split("  #")[0].strip() for block in BLOCKS for line in block.splitlines()]
TRAINING = [c for c in COMMANDS if c.startswith("python train.py") and "resume" not in c]
AFTER_RUN = [c for c in COMMANDS if "RUN_ID" in c]
LOOKING = [c for c in COMMANDS if c.startswith(("framesweep prepare", "framesweep inspect"))]
SETUP = [c for c in COMMANDS if c.startswith(("make", "pip"))]
SERVERS = [c for c in COMMANDS if c.startswith("framesweep ui")]
FEWER_TRIALS = "hydra.sweeper.n_trials=2"


@pytest.fixture
def placed(corpus, audio_root):
    """Puts corpora of the tests where a command names a user's."""
    places = {"/path/to/hw1p2": corpus, "/path/to/recordings": audio_root}

    def place(command):
        for path, folder in places.items():
            command = command.replace(path, str(folder))
        return command

    return place


def smaller(command):
    """The command's arguments, with less data, fewer epochs and smaller networks added."""
    words = shlex.split(command)[2:]
    given = {word.partition("=")[0] for word in words}
    added = ["hardware.threads=1", "train.batch_size=256"]
    added += [] if "train.epochs" in given else ["train.epochs=1"]
    if "data" not in given:
        added += [f"data.{split}_minutes=0.2" for split in ("train", "dev", "test")]
    if "sweep" in given:
        added += [FEWER_TRIALS]
        words = [word for word in words if "n_trials" not in word]
    if "sweep=optuna" in words:
        added += ["model.width=choice(16,32)"]
    return [*words, *added]


def test_every_command_is_tried_here():
    assert len(README.splitlines()) < 150
    tried = {*TRAINING, *AFTER_RUN, *LOOKING, *SETUP, *SERVERS}
    assert [c for c in COMMANDS if c not in tried] == []


@pytest.mark.parametrize("command", TRAINING)
def test_training(shell, placed, command):
    output = shell.train(*smaller(placed(command))).stdout
    if "--help" in command:
        assert "data: demo, hw1p2, hw1p2_folders, kaldi, segments" in output
    else:
        assert "best" in output
        assert (shell.folder / "outputs" / "mlflow.db").exists()


@pytest.mark.parametrize("command", LOOKING)
def test_looking_at_a_corpus(shell, placed, command):
    assert "phones" in shell.framesweep(*shlex.split(placed(command))[1:]).stdout


def test_after_a_run(shell):
    output = shell.train(*shell.small).stdout
    identity = re.search(r"^run: (\w+)", output, re.MULTILINE).group(1)
    for command in AFTER_RUN:
        words = shlex.split(command.replace("RUN_ID", identity))
        if words[0] == "python":
            shell.train(*words[2:])
        else:
            shell.framesweep(*words[1:])
        for index, word in enumerate(words):
            if word == "--out":
                assert len((shell.folder / words[index + 1]).read_text().splitlines()) == 121


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
        assert process.wait(timeout=60) in (0, 130)
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
