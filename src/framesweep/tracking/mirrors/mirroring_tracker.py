"""A tracker that sends to mirrors what it logs to MLflow."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from framesweep.credentials import scrub
from framesweep.tracking.base import Status, Tracker
from framesweep.tracking.mirrors.base import MirrorRecord
from framesweep.tracking.mirrors.mirror_process import MirrorProcess

JOIN_SECONDS = 20.0
"""How long a run waits at its end for all of its mirrors together."""


class MirroringTracker(Tracker):
    """Passes everything on to a tracker, and params, tags, metrics and the status to mirrors.

    Datasets, files and models are logged to MLflow alone.
    """

    def __init__(self, tracker: Tracker, mirrors: Sequence[MirrorProcess]) -> None:
        self._tracker = tracker
        self._mirrors = mirrors
        self._is_finished = False

    @property
    def run_id(self) -> str | None:
        return self._tracker.run_id

    @property
    def is_current(self) -> bool:
        return self._tracker.is_current

    def require_open(self, *, wait: bool) -> None:
        self._tracker.require_open(wait=wait)

    def log_params(self, params: Mapping[str, object]) -> None:
        self._tracker.log_params(params)
        values = {name: _clean(value) for name, value in params.items()}
        self._send({"kind": "params", "params": values})

    def log_tags(self, tags: Mapping[str, str]) -> None:
        self._tracker.log_tags(tags)
        self._send({"kind": "tags", "tags": {k: scrub(value) for k, value in tags.items()}})

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self._tracker.log_epoch(epoch, metrics)
        values = {name: float(value) for name, value in metrics.items()}
        record = {"kind": "metrics", "step": epoch, "metrics": values, "time": time.time()}
        self._send(record)

    def log_dataset(
        self,
        name: str,
        fingerprint: str,
        *,
        root: str | None,
        feature_dim: int,
        splits: Mapping[str, Mapping[str, int]],
    ) -> None:
        self._tracker.log_dataset(
            name, fingerprint, root=root, feature_dim=feature_dim, splits=splits
        )

    def log_artifact(self, path: Path, folder: str = "") -> None:
        self._tracker.log_artifact(path, folder)

    def log_model(self, directory: Path, feature_dim: int) -> None:
        self._tracker.log_model(directory, feature_dim)

    def register_model(self, name: str) -> None:
        self._tracker.register_model(name)

    def finish(self, status: Status = "FINISHED") -> None:
        if self._is_finished:
            return
        if not self.is_current:
            self.abandon()
            return
        self._is_finished = True
        # First, so that the mirrors end while MLflow receives its last records.
        for mirror in self._mirrors:
            mirror.close(status)
        deadline = time.monotonic() + JOIN_SECONDS
        self._tracker.finish(status)
        for mirror in self._mirrors:
            mirror.join(max(0.0, deadline - time.monotonic()))

    def abandon(self) -> None:
        self._is_finished = True
        for mirror in self._mirrors:
            mirror.kill()
        self._tracker.abandon()

    def _send(self, record: MirrorRecord) -> None:
        if self.is_current:
            for mirror in self._mirrors:
                mirror.send(record)


def _clean(value: object) -> object:
    """Return a param as a JSON value without credentials; numbers stay numbers."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return scrub(str(value))
