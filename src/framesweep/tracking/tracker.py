"""What a run says about itself, and to whom."""

import json
import logging
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from framesweep.config import TrackingConfig
from framesweep.credentials import scrub
from framesweep.errors import Interrupted, TrackingError
from framesweep.tracking import store
from framesweep.tracking.courier import Courier
from framesweep.tracking.delivery import Delivery
from framesweep.tracking.outbox import Outbox
from framesweep.tracking.provenance import config_hash, provenance

log = logging.getLogger(__name__)

Status = Literal["FINISHED", "FAILED", "KILLED"]
FOLDER = "tracking"
"""Folder in a run's directory where its id lies, and what has not arrived yet."""

FIRST_SECONDS = 60.0
"""How long a run waits at its start for a busy database or a slow server."""
SERVER_SECONDS, DATABASE_SECONDS = 20.0, 120.0
"""How long a run waits at its end for what is on its way to arrive."""


class Tracker(Protocol):
    """Takes what a run logs. Calls return at once; tracking that fails harms no caller."""

    @property
    def run_id(self) -> str | None:
        """MLflow's id of the run, waited for; None without tracking, or while it is away.

        Raises:
            TrackingError: the run cannot be had, now or later.
        """
        ...

    def log_params(self, params: Mapping[str, object]) -> None:
        """Logs the flat config, and its hash as a tag."""

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Sets tags."""

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Logs an epoch's metrics; those that the run already has stay as they are."""

    def log_dataset(
        self,
        name: str,
        fingerprint: str,
        *,
        root: str | None,
        feature_dim: int,
        splits: Mapping[str, Mapping[str, int]],
    ) -> None:
        """Logs what the run trains on, with the counts of each split, as `num_frames`."""

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Logs a file or a folder, which must stay until the end of the run."""

    def log_model(self, directory: Path, feature_dim: int) -> None:
        """Logs the predictor in `directory` as an MLflow model, once a run."""

    def finish(self, status: Status = "FINISHED") -> None:
        """Ends the run and waits for what is on its way; further calls do nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Finishes the run: KILLED after Interrupted or Ctrl-C, FAILED after other errors."""


class NullTracker:
    """Tracks nothing."""

    run_id = None

    def log_params(self, params: Mapping[str, object]) -> None: ...

    def log_tags(self, tags: Mapping[str, str]) -> None: ...

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None: ...

    def log_dataset(
        self,
        name: str,
        fingerprint: str,
        *,
        root: str | None,
        feature_dim: int,
        splits: Mapping[str, Mapping[str, int]],
    ) -> None: ...

    def log_artifact(self, path: Path, folder: str = "") -> None: ...

    def log_model(self, directory: Path, feature_dim: int) -> None: ...

    def finish(self, status: Status = "FINISHED") -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None: ...


class MlflowTracker:
    """Logs to MLflow from a thread, by way of an outbox on disk."""

    def __init__(self, config: TrackingConfig, outputs: Path, directory: Path) -> None:
        self._uri = store.tracking_uri(config.uri, outputs)
        self._directory = directory
        store.import_mlflow()
        folder = directory / FOLDER
        self._outbox = Outbox(folder / "outbox.jsonl")
        self._delivery = Delivery(self._uri, config.experiment, outputs, folder)
        self._courier = Courier(self._outbox, self._delivery)
        self._key, self._resumed, self._finished = "", "", False

    def start(
        self, name: str | None, tags: Mapping[str, str], parent_run_id: str | None
    ) -> None:
        """Starts a new run, nested under the parent where one is given."""
        key = uuid.uuid4().hex
        all_tags = {**provenance(self._directory), "framesweep.key": key}
        all_tags |= {tag: scrub(value) for tag, value in tags.items()}
        if parent_run_id is not None:
            all_tags["mlflow.parentRunId"] = parent_run_id
        self._key = key
        self._append("start", key=key, name=name, tags=all_tags, time=_now())

    def resume(self, run_id: str) -> None:
        """Goes on with an existing run."""
        self._resumed = run_id
        self._append("resume", run_id=run_id)

    @property
    def run_id(self) -> str | None:
        self._courier.attempted.wait(FIRST_SECONDS)
        if self._resumed or self._delivery.key == self._key:
            return self._resumed or self._delivery.run_id
        if self._courier.refusals:
            error = self._courier.refusals[-1]
            if isinstance(error, TrackingError):
                raise error
            raise TrackingError(scrub(self._uri), f"must take the run ({scrub(str(error))})")
        return None

    def log_params(self, params: Mapping[str, object]) -> None:
        self._append("params", params={key: _text(value) for key, value in params.items()})
        self.log_tags({"framesweep.config_hash": config_hash(params)})

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
        server = store.is_server(self._uri)
        left = self._courier.close(SERVER_SECONDS if server else DATABASE_SECONDS)
        if left:
            log.warning(
                "%d records could not be sent and wait in %s; `framesweep sync %s` sends them",
                left,
                self._outbox.path,
                self._directory,
            )

    def __enter__(self) -> Self:
        return self

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
