"""What TensorBoard's own reader finds: the same names, and each step once."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from framesweep.tracking.mirrors.base import MirroredRun
from framesweep.tracking.mirrors.tensorboard_mirror import TensorBoardMirror


def write(directory: Path, epochs: range, status: str | None) -> None:
    """Write epochs as a run does that resumes: all of them, from the first."""
    folder = str(directory / "mirrors")
    run = MirroredRun(str(directory), folder, "e", "n", None, "run", False)
    mirror = TensorBoardMirror(run, lambda level, text: None)
    mirror.write({"kind": "params", "params": {"optim.lr": 1e-3, "model.widths": [8, 4]}})
    mirror.write({"kind": "tags", "tags": {"study": "s"}})
    for epoch in epochs:
        metrics = {"train/loss": 1 / epoch, "dev/accuracy": epoch / 10}
        mirror.write(
            {"kind": "metrics", "step": epoch, "metrics": metrics, "time": 100.0 + epoch}
        )
    # As when a process is killed: the file is not closed.
    if status is not None:
        mirror.close(status)


@pytest.mark.heavy
def test_a_resumed_run_has_each_step_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write(tmp_path, range(1, 3), None)
    write(tmp_path, range(1, 5), "FINISHED")
    read: Any = EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    assert set(read.Tags()["scalars"]) == {"train/loss", "dev/accuracy"}
    events = read.Scalars("dev/accuracy")
    assert [event.step for event in events] == [1, 2, 3, 4]
    assert [event.value for event in events] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert [event.wall_time for event in events] == [101.0, 102.0, 103.0, 104.0]
    (text,) = read.Tensors("tags")[0].tensor_proto.string_val
    assert text == b"- study: s"
    hparams = read.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    assert b"optim.lr" in hparams
    assert b"[8, 4]" in hparams


def test_the_printed_command_names_a_folder_with_blanks(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    folder, lines = tmp_path / "a run", []
    run = MirroredRun(str(folder), str(folder / "mirrors"), "e", "n", None, "run", False)
    TensorBoardMirror(run, lambda level, text: lines.append(text)).close("FINISHED")
    (line,) = lines
    assert shlex.split(line) == ["tensorboard", "--logdir", str(folder)]
