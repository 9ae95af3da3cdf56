"""Writes a run as event files of TensorBoard, in the folder `tensorboard` of its directory."""

import json
import time
from pathlib import Path
from typing import Any

from framesweep.config.shell_words import join_command
from framesweep.tracking.mirrors.base import MirroredRun, MirrorRecord, Notify
from framesweep.tracking.mirrors.logged_steps import LoggedSteps

FOLDER = "tensorboard"


class TensorBoardMirror:
    """Scalars by epoch, params for the tab HPARAMS, and tags as a text.

    TensorBoard has no parents. It names a run by its folder, so that the trials of a sweep are
    listed below their study.
    """

    def __init__(self, run: MirroredRun, notify: Notify) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._folder = Path(run.directory) / FOLDER
        self._steps = LoggedSteps(run.state_file("tensorboard"))
        self._writer = EventFileWriter(str(self._folder))
        notify("info", join_command(["tensorboard", "--logdir", run.directory]))

    def write(self, record: MirrorRecord) -> None:
        """Write a record; see `Mirror`."""
        if record["kind"] == "metrics":
            self._write_metrics(record)
        elif record["kind"] == "params":
            self._write_params(record["params"])
        elif record["kind"] == "tags":
            self._write_text("tags", record["tags"])

    def close(self, status: str | None) -> None:
        """Close the file; see `Mirror`."""
        if status is not None:
            self._write_text("status", {"status": status})
        self._writer.close()

    def _write_metrics(self, record: MirrorRecord) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        step = record["step"]
        if new := self._steps.select_new(step, record["metrics"]):
            values = [Summary.Value(tag=k, simple_value=v) for k, v in new.items()]
            self._write_summary(Summary(value=values), step, record["time"])
            # Flushed first: what the file of steps contains must have been written.
            self._writer.flush()
            self._steps.add(step, new)

    def _write_params(self, params: dict[str, Any]) -> None:
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        simple = {
            name: value if isinstance(value, bool | int | float | str) else json.dumps(value)
            for name, value in params.items()
        }
        self._write_summary(hparams_pb(simple), 0, time.time())

    def _write_text(self, tag: str, values: dict[str, str]) -> None:
        from tensorboard.plugins.text.summary_v2 import text_pb

        lines = "\n".join(f"- {name}: {value}" for name, value in values.items())
        self._write_summary(text_pb(tag, lines), 0, time.time())

    def _write_summary(self, summary: Any, step: int, seconds: float) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(summary=summary, step=step, wall_time=seconds))
