"""Runs documented commands as they stand, with less data, fewer epochs and smaller networks."""

import re
import shlex
import sqlite3
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
from click.testing import CliRunner

from audio_model import RATE, make_tones, write_model
from e2e.conftest import Shell
from framesweep.cli import _framesweep
from framesweep.evaluation.phone_chain import count_chain
from framesweep.evaluation.smoother_file import write_smoother
from framesweep.evaluation.viterbi import Smoother, Strength

FEWER_TRIALS = "hydra.sweeper.n_trials=2"
SMALLER = {
    "augment=speech": ["augment.freq_width=4"],
    "recipe=hw1p2": ["model.max_params=1e5", "model.conv_channels=[4,4,4]"],
    "recipe=few_hours": ["model.channels=16", "augment.freq_width=4"],
    "recipe=thorough": ["model.channels=16"],
}
ONLY_PRINTS = ("--help", "--cfg", "sweep.preview=true")
"""What a command contains that trains nothing."""

FINISHED = "select count(*) from runs where status = 'FINISHED'"

TEST_FRAMES = 120
"""Of the corpus on which `Shell.small` trains."""


def run_training(shell: Shell, command: str) -> str:
    """Train or sweep as a `python train.py ...` command says; return what it prints."""
    output = shell.train(*smaller(command)).stdout
    if not any(word in command for word in ONLY_PRINTS):
        assert "best" in output
        with sqlite3.connect(shell.folder / "outputs" / "mlflow.db") as database:
            ((finished,),) = database.execute(FINISHED)
        assert finished
    return output


def smaller(command: str) -> list[str]:
    """The command's arguments, with less data, fewer epochs and smaller networks added."""
    words = shlex.split(command)[2:]
    given = {word.partition("=")[0] for word in words}
    groups = {name.partition(".")[0] for name in given}
    added = ["hardware.threads=1", "train.batch_size=256"]
    added += [] if "train.epochs" in given else ["train.epochs=1"]
    if not groups & {"model", "recipe", "sweep"}:
        added += ["model.widths=[32,32]"]
    if not given & {"data", "data.root"}:
        added += [f"data.{split}_minutes=0.2" for split in ("train", "dev", "test")]
    if "sweep" in given:
        added += [FEWER_TRIALS]
        words = [word for word in words if "n_trials" not in word]
    if "sweep=optuna" in words:
        added += ["model.width=choice(16,32)"]
    for option in SMALLER.keys() & set(words):
        added += SMALLER[option]
    return [*words, *added]


def after_run(shell: Shell, commands: Iterable[str]) -> None:
    """Train a small run, then run the commands on it, each with its id for RUN_ID."""
    output = shell.train(*shell.small).stdout
    identity = re.search(r"^run: (\w+)", output, re.MULTILINE)
    assert identity is not None
    # Resuming comes last: `reproduce` with another number of processes rounds differently.
    for command in sorted(commands, key=lambda command: "resume=" in command):
        _run(shell, shlex.split(command.replace("RUN_ID", identity[1])))


def after_search(shell: Shell, commands: Iterable[str]) -> None:
    """Run a small search, then the commands on it, each with its study's name for STUDY."""
    search = ["-m", "sweep=bare", "model.dropout=interval(0.1,0.2)", FEWER_TRIALS]
    output = shell.train(*search, *shell.small).stdout
    study = re.search(r"^study ([\w-]+): 2 trials", output, re.MULTILINE)
    assert study is not None, output
    for command in commands:
        _run(shell, shlex.split(command.replace("STUDY", study[1])))


def label_recordings(folder: Path, commands: Iterable[str]) -> None:
    """Run `framesweep label` commands in a folder with a run on audio and with recordings.

    It must be the working directory. The commands run in this process, which is faster.
    """
    write_model(folder / "run" / "model")
    (folder / "run" / "config.yaml").touch()
    chain = count_chain(np.repeat(np.arange(4), 50), np.array([200]), 4)
    write_smoother(folder / "run" / "model", Smoother(chain, Strength(1.0, 0.0)))
    (folder / "recordings" / "monday").mkdir(parents=True)
    for name in ("mine.wav", "recordings/a.wav", "recordings/monday/b.flac"):
        soundfile.write(folder / name, make_tones(0.5), RATE)
    for command in commands:
        words = shlex.split(command.replace("RUN_ID", "run"))[1:]
        CliRunner().invoke(_framesweep, words, catch_exceptions=False)
        labels = folder / (words[words.index("--out") + 1] if "--out" in words else "labels")
        suffix = words[words.index("--format") + 1] if "--format" in words else "TextGrid"
        found = {str(path.relative_to(labels)) for path in labels.rglob(f"*.{suffix}")}
        expected = {"mine"} if "mine.wav" in words else {"a", "monday/b"}
        assert found >= {f"{name}.{suffix}" for name in expected}, command
        if "--plot" in words:
            assert (folder / words[words.index("--plot") + 1]).stat().st_size > 1000


def _run(shell: Shell, words: list[str]) -> None:
    if words[:2] == ["python", "train.py"]:
        shell.train(*(smaller(shlex.join(words)) if "-m" in words else words[2:]))
    else:
        assert words[0] == "framesweep"
        shell.framesweep(*words[1:])
    if "--out" in words:
        path = shell.folder / words[words.index("--out") + 1]
        if words[1] == "report":
            assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
            return
        assert len(_read_predictions(path).splitlines()) == TEST_FRAMES + 1


def _read_predictions(path: Path) -> str:
    if path.suffix != ".zip":
        return path.read_text()
    with zipfile.ZipFile(path) as archive:
        return archive.read("submission.csv").decode()
