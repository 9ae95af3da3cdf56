"""Real commands in subprocesses, on a small corpus in HW1P2's format."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import warm_processes
from tones import write_tones
from toy import ToyCorpus, write_hw1p2

REPOSITORY = Path(__file__).parents[2]
SMALL = [
    "data=hw1p2",
    "data.context=2",
    "model.widths=[16,16]",
    "hardware=cpu",
    "hardware.threads=1",
    "train.batch_size=64",
    "train.epochs=2",
]
SECONDS = 600
"""How long a command may take, on a machine that is busy with other tests."""


class Shell:
    """Runs train.py and framesweep in a folder of their own; see `warm_processes`.

    Attributes:
        pictures: Whether train.py draws pictures. It is faster to leave them empty.
    """

    pictures = False

    def __init__(self, folder: Path, corpus: Path) -> None:
        self.folder = folder
        self.small = [*SMALL, f"data.root={corpus}"]
        self.environment = {
            **os.environ,
            "FRAMESWEEP_OUTPUTS": str(folder / "outputs"),
            "COLUMNS": "200",
        }

    def start(self, *arguments: str, **options) -> subprocess.Popen[str]:
        """`python train.py ...`, running."""
        return warm_processes.popen(
            [sys.executable, str(REPOSITORY / "train.py"), *arguments],
            cwd=self.folder,
            env=self._training_environment(),
            text=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

    def train(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """`python train.py ...`, ended with this exit code."""
        command = [sys.executable, str(REPOSITORY / "train.py"), *arguments]
        return self._run(command, code, self._training_environment())

    def framesweep(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """`framesweep ...`, ended with this exit code."""
        command = Path(sys.executable).with_name("framesweep")
        return self._run([str(command), *arguments], code, self.environment)

    def _training_environment(self) -> dict[str, str]:
        if self.pictures:
            return self.environment
        return {**self.environment, warm_processes.EMPTY_PICTURES: "1"}

    def _run(
        self, command: list[str], code: int, environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        process = warm_processes.popen(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            warm_workers="-m" in command,
        )
        with process:
            try:
                output, errors = process.communicate(timeout=SECONDS)
            finally:
                process.kill()
        assert process.returncode == code, output + errors
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    @property
    def runs(self) -> list[Path]:
        """Directories of runs, oldest first."""
        return sorted((self.folder / "outputs" / "runs").glob("*/*"))


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    lengths = {"train": (300, 200, 400), "dev": (150, 100), "test": (80, 40)}
    return write_hw1p2(tmp_path_factory.mktemp("corpus"), ToyCorpus(lengths))


@pytest.fixture(scope="session")
def audio_root(tmp_path_factory) -> Path:
    return write_tones(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def placed(corpus, audio_root):
    """Replaces the folders of a documented command by those of the tests' corpora."""
    places = {"/path/to/hw1p2": corpus, "/path/to/recordings": audio_root}

    def place(command: str) -> str:
        for path, folder in places.items():
            command = command.replace(path, str(folder))
        return command

    return place


@pytest.fixture
def shell(tmp_path, corpus) -> Shell:
    return Shell(tmp_path, corpus)


@pytest.fixture
def tracked_shell(shell, mlflow_database) -> Shell:
    """A shell whose outputs contain an MLflow database; creating one takes a second."""
    (shell.folder / "outputs").mkdir()
    shutil.copy(mlflow_database, shell.folder / "outputs")
    return shell


@pytest.fixture(scope="session")
def make_shell(corpus):
    """Gives a shell for any folder."""
    return lambda folder: Shell(folder, corpus)
