"""Full, read-only and forbidden disks: a one-line error, no partial files, then recovery."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from toy import ToyCorpus, write_hw1p2

pytestmark = pytest.mark.heavy

WITHOUT_ROOTS_RIGHTS = [
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
]


class SmallDisk:
    """A file system of its own in memory, of a given size."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")

    def remount(self, options: str) -> None:
        command = ["mount", "-o", f"remount,{options}", str(self.folder)]
        subprocess.run(command, check=True)

    def fill(self) -> Path:
        """Fill the disk, and return the file that occupies it."""
        filler = self.folder / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        return filler

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path):
    """Returns a function that creates a disk of a given size."""
    made: list[SmallDisk] = []

    def make(size: str) -> SmallDisk:
        made.append(SmallDisk(tmp_path / "disk", size))
        return made[-1]

    yield make
    for one in made:
        one.unmount()


def only_error(result) -> str:
    """Return the single line of an error that is not a traceback."""
    assert "Traceback" not in result.stdout + result.stderr
    (line,) = [text for text in result.stderr.splitlines() if text.startswith("error:")]
    return line


def wait_for(process, *texts: str) -> list[str]:
    """Return what the process prints up to a line with one of the texts."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if any(text in line for text in texts):
            return lines
    raise AssertionError("".join(lines))


def metrics(database: Path) -> Counter:
    with sqlite3.connect(database) as connection:
        return Counter(connection.execute("select key, step from metrics").fetchall())


def test_a_disk_too_small_for_the_prepared_corpus_is_a_one_line_error(shell, disk, tmp_path):
    """Once there is space, the same command succeeds."""
    lengths = {"train": (3000, 3000), "dev": (500,), "test": (200,)}
    root = write_hw1p2(tmp_path / "larger", ToyCorpus(lengths))
    small = disk("200k")
    arguments = [*shell.small, f"data.root={root}", f"outputs={small.folder}", "tracking=none"]
    line = only_error(shell.train(*arguments, code=2))
    assert line.startswith(f"error: {small.folder}")
    assert "No space left on device" in line
    left = [p for p in (small.folder / "cache").rglob("*") if p.is_file()]
    assert left == []
    small.remount("size=32m")
    shell.train(*arguments)


def test_a_run_on_a_disk_that_fills_up_ends_cleanly_and_is_resumed(shell, disk):
    """It ends with a one-line error and keeps its last checkpoint, from which it is resumed."""
    small = disk("16m")
    process = shell.start(*shell.small, "train.epochs=100000", f"outputs={small.folder}")
    wait_for(process, "epoch 3/")
    filler = small.fill()
    wait_for(process, "kept in memory", "could not be sent")
    filler.unlink()
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 2, output + errors
    assert "No space left on device" in only_error(
        subprocess.CompletedProcess([], 2, output, errors)
    )
    (directory,) = (small.folder / "runs").glob("*/*")
    assert [p.name for p in (directory / "checkpoints").glob(".*")] == []
    resumed = shell.train(f"resume={directory}", "train.max_minutes=1e-6").stdout
    assert "resuming after epoch" in resumed
    counted = metrics(small.folder / "mlflow.db")
    epochs = [step for name, step in counted if name == "dev/loss"]
    assert sorted(epochs) == list(range(1, len(epochs) + 1))
    assert set(counted.values()) == {1}


def test_a_database_on_a_full_disk_loses_no_metric(shell, disk):
    """Training continues meanwhile; once there is space, everything arrives once, in order."""
    small = disk("4m")
    database = small.folder / "mlflow.db"
    process = shell.start(
        *[*shell.small, "train.epochs=100000", "train.max_minutes=0.3"],
        f"tracking.uri=sqlite:///{database}",
    )
    wait_for(process, "epoch 3/")
    filler = small.fill()
    wait_for(process, "Tracking cannot be reached")
    wait_for(process, "epoch ")
    filler.unlink()
    small.remount("size=64m")
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, output + errors
    if "could not be sent" in output:  # the run ended before the next attempt
        shell.framesweep("sync", str(shell.runs[0]))
    counted = metrics(database)
    epochs = [step for name, step in counted if name == "dev/loss"]
    assert len(epochs) > 3
    assert epochs == list(range(1, len(epochs) + 1))
    assert set(counted.values()) == {1}
    assert (shell.runs[0] / "tracking" / "outbox.jsonl").read_bytes() == b""


def test_outputs_on_a_read_only_disk_are_a_one_line_error(shell, disk):
    small = disk("4m")
    small.remount("ro")
    line = only_error(shell.train(*shell.small, f"outputs={small.folder}/outputs", code=2))
    assert str(small.folder) in line
    assert "Read-only file system" in line


@pytest.mark.parametrize("forbidden", ["outputs", "corpus"])
def test_missing_permissions_are_a_one_line_error(shell, corpus, tmp_path, forbidden):
    root = shutil.copytree(corpus, tmp_path / "copy")
    place = tmp_path / "place"
    place.mkdir()
    if forbidden == "outputs":
        place.chmod(0o555)
    else:
        (root / "dev.npy").chmod(0)
    prefix = WITHOUT_ROOTS_RIGHTS if os.geteuid() == 0 else []
    train = [sys.executable, str(Path(__file__).parents[2] / "train.py"), *shell.small]
    result = subprocess.run(
        [*prefix, *train, f"data.root={root}", f"outputs={place}/outputs", "tracking=none"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2, result.stderr
    line = only_error(result)
    assert "ermission denied" in line
    assert str(place if forbidden == "outputs" else root / "dev.npy") in line
    assert not list(place.rglob("*.npy"))
