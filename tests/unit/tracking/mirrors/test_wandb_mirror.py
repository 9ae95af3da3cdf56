"""What W&B writes offline is read back: the same names, a step once, and no credentials."""

import shlex
from pathlib import Path

import pytest

from framesweep.credentials import URI_VARIABLE
from framesweep.tracking.base import Tracker
from framesweep.tracking.mirrors.base import MirroredRun
from framesweep.tracking.mirrors.mirror_process import MirrorProcess
from framesweep.tracking.mirrors.mirroring_tracker import MirroringTracker
from framesweep.tracking.mirrors.wandb_mirror import _project
from wandb_files import read_run

SECRET = "postgresql://me:hunter2@host/db"
LONG = 120.0


def test_a_project_has_no_characters_that_wandb_forbids() -> None:
    assert _project("speech/phones: 50%") == "speech_phones_ 50_"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv(URI_VARIABLE, SECRET)
    return tmp_path / "a run"


def train(directory: Path, epochs: range, group: str | None, status: str | None) -> None:
    """Log epochs as a run does that resumes: all of them, from the first."""
    directory.mkdir(exist_ok=True)
    run = MirroredRun(
        str(directory), str(directory / "mirrors"), "phones/a", "n", group, "trial", False
    )
    process = MirrorProcess("wandb", run)
    tracker = MirroringTracker(Tracker(), [process])
    tracker.log_params({"optim.lr": 1e-3, "tracking.uri": SECRET})
    tracker.log_tags({"study": "s", "uri": SECRET})
    for epoch in epochs:
        tracker.log_epoch(epoch, {"train/loss": 1 / epoch, "dev/accuracy": epoch / 10})
    if status is not None:
        tracker.log_epoch(1, {"dev/smoothed_accuracy": 0.15, "best/accuracy": 0.1})
    process.close(status)
    process.join(LONG)
    assert process._process is not None
    assert process._process.returncode == 0, (directory / "mirrors" / "wandb.log").read_text()


@pytest.mark.heavy
def test_an_offline_run_is_resumed_without_doubled_steps(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    train(directory, range(1, 3), "s", None)
    train(directory, range(1, 5), None, "FINISHED")
    first, second = map(read_run, sorted(directory.glob("wandb/offline-run-*/*.wandb")))
    assert first["id"] == second["id"], "it is the same run"
    for part in (first, second):
        assert (part["group"], part["role"], part["name"]) == ("s", "trial", "n")
        assert part["project"] == "phones_a"
        assert part["config"]["optim.lr"] == 1e-3
        assert part["config"]["tags.study"] == "s"
    rows = [
        (row["_step"], row["train/loss"], row["dev/accuracy"])
        for part in (first, second)
        for row in part["history"]
    ]
    assert rows == [(epoch, 1 / epoch, epoch / 10) for epoch in range(1, 5)]
    assert second["summary"]["best/accuracy"] == 0.1
    assert second["summary"]["dev/smoothed_accuracy"] == 0.15
    assert (first["exit_code"], second["exit_code"]) == (1, 0)
    folders = sorted(directory.glob("wandb/offline-run-*"))
    commands = [line.partition("offline; send it with: ")[2] for line in caplog.messages]
    expected = [["wandb", "sync", str(folder)] for folder in folders]
    assert [shlex.split(command) for command in commands] == expected
    for path in directory.rglob("*"):
        assert path.is_dir() or b"hunter2" not in path.read_bytes(), path


@pytest.mark.heavy
def test_without_an_api_key_the_run_is_written_offline(
    directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    # The folder in which `wandb login` would have left a key.
    monkeypatch.setenv("HOME", str(directory.parent))
    monkeypatch.setenv("NETRC", str(directory.parent / "none"))
    train(directory, range(1, 3), None, "FINISHED")
    (path,) = directory.glob("wandb/offline-run-*/*.wandb")
    assert [row["_step"] for row in read_run(path)["history"]] == [1, 2]
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "written offline, because W&B refused it" in warning
