"""A tracker that logs to MLflow from a thread."""

import json
import logging
import re
import shlex
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from framesweep.config import TrackingConfig
from framesweep.credentials import scrub
from framesweep.errors import Interrupted, TrackingError
from framesweep.tracking import mlflow_store
from framesweep.tracking.base import Status, Tracker
from framesweep.tracking.mlflow_writer import MlflowWriter
from framesweep.tracking.outbox import OUTBOX_FILE, Outbox
from framesweep.tracking.provenance import collect_provenance, hash_config
from framesweep.tracking.sender import (
    OPENING_KINDS,
    REFUSED_FILE,
    LostRunError,
    Sender,
    summarize_error,
)

log = logging.getLogger(__name__)

TRACKING_FOLDER = "tracking"
"""Folder in a run's directory where its id lies, and what has not arrived yet."""
RUN_DIRECTORY_PATTERNS = ("runs/*/*", "sweeps/*", "sweeps/*/*")
"""Where in the outputs folder runs have their directories."""

FIRST_SECONDS = 60.0
"""How long a run waits at its start for a busy database or a slow server."""
SERVER_SECONDS, DATABASE_SECONDS = 20.0, 120.0
"""How long a run waits at its end for what is on its way to arrive."""

NOT_IN_NAMES = re.compile(r"[^\w\-. :/]")
"""What a param's name may not have: MLflow refuses all that come with it."""


class MlflowTracker(Tracker):
    """Logs to MLflow from a thread, by way of an outbox on disk."""

    def __init__(self, config: TrackingConfig, outputs: Path, directory: Path) -> None:
        self._uri = mlflow_store.resolve_tracking_uri(config.uri, outputs)
        self._directory = directory
        mlflow_store.import_mlflow()
        folder = directory / TRACKING_FOLDER
        self._outbox = Outbox(folder / OUTBOX_FILE)
        self._target = {
            "uri": scrub(self._uri),
            "experiment": config.experiment,
            "outputs": str(outputs.absolute()),
        }
        self._writer = MlflowWriter(self._uri, config.experiment, outputs, folder)
        self._sender = Sender(self._outbox, self._writer)
        self._key: str | None = None
        self._resumed: str | None = None
        self._finished = False

    def start(
        self, name: str | None, tags: Mapping[str, str], parent_run_id: str | None
    ) -> None:
        """Starts a new run, nested under the parent where one is given.

        Where it shall go is kept with it: it may be sent when its config is no more at hand.
        """
        self._key = uuid.uuid4().hex
        all_tags = {**collect_provenance(self._directory), "framesweep.key": self._key}
        all_tags |= {tag: scrub(value) for tag, value in tags.items()}
        if parent_run_id is not None:
            all_tags["mlflow.parentRunId"] = parent_run_id
        fields = {"key": self._key, "name": name, "tags": all_tags, "time": _now()}
        self._append("start", **fields, **self._target)

    def resume(self, run_id: str | None) -> bool:
        """Goes on with the run `run_id`, or the one that was begun in this directory.

        Gives False, and does nothing, where there is neither.
        """
        begun = self._outbox.last("start")
        self._key = begun["key"] if begun is not None else self._writer.key
        self._resumed = run_id or self._writer.run_id
        if self._resumed is None and begun is None:
            return False
        self._append("resume", run_id=self._resumed)
        return True

    @property
    def run_id(self) -> str | None:
        if self._resumed or self._writer.key == self._key:
            return self._resumed or self._writer.run_id
        return None

    def wait_open(self) -> None:
        """Waits until the run is open, or tracking turns out to be away.

        Raises:
            LostRunError: the run that was begun is gone; the tracker is closed.
            TrackingError: the run cannot be opened, now or later; the tracker is closed.
        """
        self._sender.attempted.wait(FIRST_SECONDS)
        error = self._sender.run_error
        if error is None:
            self._sender.attempted.set()  # nobody waits any more
            return
        self._finished = True
        first = self._outbox.first()
        if first is not None and first["kind"] in OPENING_KINDS:
            self._outbox.remove_first()  # of a run that does not go on nothing shall be sent
        self._sender.close(0)
        if isinstance(error, LostRunError):
            fix = f"To begin it anew, delete {self._directory / TRACKING_FOLDER}."
            raise LostRunError(error.where, error.rule, fix=fix)
        if isinstance(error, TrackingError):
            raise error
        raise TrackingError(scrub(self._uri), f"must take the run ({summarize_error(error)})")

    def log_params(self, params: Mapping[str, object]) -> None:
        named = {NOT_IN_NAMES.sub("_", key): _text(value) for key, value in params.items()}
        self._append("params", params=named)
        self.log_tags({"framesweep.config_hash": hash_config(params)})

    def log_tags(self, tags: Mapping[str, str]) -> None:
        self._append("tags", tags={key: scrub(value) for key, value in tags.items()})

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        values = {name: float(value) for name, value in metrics.items()}
        self._append("metrics", step=epoch, metrics=values, time=_now())

    def log_dataset(
        self,
        name: str,
        fingerprint: str,
        *,
        root: str | None,
        feature_dim: int,
        splits: Mapping[str, Mapping[str, int]],
    ) -> None:
        features = {"dtype": "float32", "shape": [-1, feature_dim]}
        schema = json.dumps([{"type": "tensor", "tensor-spec": features}])
        dataset = {
            "name": name,
            "digest": fingerprint[:36],
            "source_type": "code" if root is None else "local",
            "source": json.dumps({"tags": {}} if root is None else {"uri": scrub(root)}),
            "schema": json.dumps({"mlflow_tensorspec": {"features": schema}}),
            "profile": json.dumps({split: dict(counts) for split, counts in splits.items()}),
        }
        self._append("dataset", dataset=dataset)
        self.log_tags({"framesweep.data_fingerprint": fingerprint})

    def log_artifact(self, path: Path, folder: str = "") -> None:
        self._append("artifact", path=str(path.absolute()), folder=folder)

    def log_model(self, directory: Path, feature_dim: int) -> None:
        self._append("model", path=str(directory.absolute()), feature_dim=feature_dim)

    def finish(self, status: Status = "FINISHED") -> None:
        if self._finished:
            return
        self._finished = True
        self._append("status", status=status, time=_now())
        server = mlflow_store.is_server(self._uri)
        left = self._sender.close(SERVER_SECONDS if server else DATABASE_SECONDS)
        if left:
            log.warning(
                "%d records could not be sent and wait in %s; `framesweep sync %s` sends them",
                left,
                self._outbox.path,
                shlex.quote(str(self._directory)),
            )
        if self._sender.num_refused:
            log.warning(
                "%d records were refused and lie in %s",
                self._sender.num_refused,
                self._outbox.path.with_name(REFUSED_FILE),
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.finish("FINISHED")
        elif isinstance(error, Interrupted | KeyboardInterrupt):
            self.finish("KILLED")
        else:
            self.finish("FAILED")

    def _append(self, kind: str, **fields: object) -> None:
        self._outbox.append({"kind": kind, **fields})


def _now() -> int:
    return int(time.time() * 1000)


def _text(value: object) -> str:
    """A param as YAML would have it, credentials taken out."""
    return scrub(value if isinstance(value, str) else json.dumps(value, default=str))
