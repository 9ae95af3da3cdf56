"""A tracker that logs to MLflow through an outbox on disk and a thread that sends it."""

import contextlib
import json
import logging
import re
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from framesweep.catalog.database import DATA_TAG
from framesweep.catalog.directories import TRACKING_FOLDER
from framesweep.catalog.run_file import write_status
from framesweep.config import TrackingConfig
from framesweep.config.shell_words import join_command
from framesweep.credentials import scrub
from framesweep.errors import OwnershipLostError
from framesweep.system.locks.ownership import own
from framesweep.tracking import mlflow_store
from framesweep.tracking.base import Status, Tracker
from framesweep.tracking.mlflow_errors import describe_opening_error
from framesweep.tracking.mlflow_writer import MlflowWriter
from framesweep.tracking.outbox import (
    OPENING_KINDS,
    OUTBOX_FILE,
    REFUSED_FILE,
    Outbox,
    replace_start,
)
from framesweep.tracking.provenance import collect_provenance
from framesweep.tracking.sender import Sender

log = logging.getLogger(__name__)

FIRST_SECONDS = 60.0
"""How long a run waits at its start for a busy database or a slow server."""

SERVER_SECONDS, DATABASE_SECONDS = 20.0, 120.0
"""How long a run waits at its end for its last records to be sent.

A server that does not answer within seconds is down; a database may be locked by other runs.
"""

FORBIDDEN_CHARACTERS = re.compile(r"[^\w\-. :/]")
"""Characters that MLflow forbids in a param's name. One such name makes it refuse the batch."""


class MlflowTracker(Tracker):
    """Logs to MLflow from a thread, by way of an outbox in the run's directory.

    The tracker owns the directory until it is finished. Once another process has taken the
    directory over, it writes and sends nothing more.

    Args:
        claim: the number of the claim under which a trial is run; see `ownership.own`.

    Raises:
        DirectoryInUseError: another process owns the directory.
    """

    def __init__(
        self, config: TrackingConfig, outputs: Path, directory: Path, claim: int = 0
    ) -> None:
        self._uri = mlflow_store.resolve_tracking_uri(config.uri, outputs)
        self._directory = directory
        self._owned = contextlib.ExitStack()
        self._ownership = self._owned.enter_context(own(directory, claim))
        folder = directory / TRACKING_FOLDER
        self._outbox = Outbox(folder / OUTBOX_FILE)
        self._destination = {
            "uri": scrub(self._uri),
            "experiment": config.experiment,
            "outputs": str(outputs.absolute()),
        }
        self._writer = MlflowWriter(self._uri, config.experiment, outputs, folder)
        if self._outbox.lacks_start and self._writer.run_id is None:
            replace_start(self._outbox, directory, self._destination)
        # MLflow is imported in the sender's thread, which starts when it is needed: the import
        # takes seconds, in which training takes its first steps.
        is_current = self._ownership.is_current
        self._sender = Sender(self._outbox, self._writer, is_current, starts=False)
        self._key: str | None = None
        self._resumed_run_id: str | None = None
        self._is_finished = self._is_abandoned = self._is_resumed = False

    def start(
        self, name: str | None, tags: Mapping[str, str], parent_run_id: str | None
    ) -> None:
        """Start a new run, nested under `parent_run_id` unless that is None.

        The record names the run's destination, because `framesweep sync` may have to send it
        when the config that the run was started with no longer exists.
        """
        self._key = uuid.uuid4().hex
        all_tags = {**collect_provenance(self._directory), "framesweep.key": self._key}
        all_tags |= {tag: scrub(value) for tag, value in tags.items()}
        if parent_run_id is not None:
            all_tags["mlflow.parentRunId"] = parent_run_id
        fields = {"key": self._key, "name": name, "tags": all_tags, "time": _now()}
        self._append("start", **fields, **self._destination)

    def resume(self, run_id: str | None) -> bool:
        """Continue the run `run_id`, or else the one that was started in this directory.

        Return False, and do nothing, if there is neither.
        """
        # The start of the earlier run may itself still wait in the outbox.
        unsent_start = self._outbox.last("start")
        self._key = unsent_start["key"] if unsent_start is not None else self._writer.key
        self._resumed_run_id = run_id or self._writer.run_id
        if self._resumed_run_id is None and unsent_start is None:
            return False
        self._is_resumed = True
        self._note_status("RUNNING", _now())
        self._append("resume", run_id=self._resumed_run_id)
        return True

    @property
    def run_id(self) -> str | None:
        # Until the start of this run was sent, the writer may know an earlier run's id.
        if self._resumed_run_id or self._writer.key == self._key:
            return self._resumed_run_id or self._writer.run_id
        return None

    def require_open(self, *, wait: bool) -> None:
        if self._is_finished:
            return
        error = self._sender.await_opening(FIRST_SECONDS if wait else 0)
        if error is None:
            return
        self._is_finished = True
        # The run ends here; `framesweep sync` must not open it later.
        if not self._is_resumed:
            self._outbox.clear()
        elif (first := self._outbox.first()) is not None and first["kind"] in OPENING_KINDS:
            self._outbox.remove_first()
        self._sender.close(0)
        self._owned.close()
        raise describe_opening_error(error, self._uri, self._directory / TRACKING_FOLDER)

    def log_params(self, params: Mapping[str, object]) -> None:
        values = {
            FORBIDDEN_CHARACTERS.sub("_", key): format_param(value)
            for key, value in params.items()
        }
        self._append("params", params=values)

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
            "digest": fingerprint[:36],  # the longest digest that MLflow stores
            "source_type": "code" if root is None else "local",
            "source": json.dumps({"tags": {}} if root is None else {"uri": scrub(root)}),
            "schema": json.dumps({"mlflow_tensorspec": {"features": schema}}),
            "profile": json.dumps({split: dict(counts) for split, counts in splits.items()}),
        }
        self._append("dataset", dataset=dataset)
        self.log_tags({DATA_TAG: fingerprint})

    def log_artifact(self, path: Path, folder: str = "") -> None:
        self._append("artifact", path=str(path.absolute()), folder=folder)

    def log_model(self, directory: Path, feature_dim: int) -> None:
        self._append("model", path=str(directory.absolute()), feature_dim=feature_dim)

    def register_model(self, name: str) -> None:
        self._append("register", name=name)

    def finish(self, status: Status = "FINISHED") -> None:
        if self._is_finished:
            return
        if not self._ownership.is_current():
            return self.abandon()
        self._is_finished = True
        now = _now()
        self._note_status(status, now)
        self._append("status", status=status, time=now)
        server = mlflow_store.is_server(self._uri)
        num_unsent = self._sender.close(SERVER_SECONDS if server else DATABASE_SECONDS)
        self._owned.close()
        if self._sender.opening_error is not None:
            # The run has ended before anybody asked whether it was open.
            self._sender.warn_of_refusal(self._sender.opening_error)
        if num_unsent:
            log.warning(
                "%d records could not be sent and are kept in %s; send them with `%s`",
                num_unsent,
                self._outbox.path,
                join_command(["framesweep", "sync", str(self._directory)]),
            )
        if self._sender.num_refused:
            log.warning(
                "%d records were refused and moved to %s",
                self._sender.num_refused,
                self._outbox.path.with_name(REFUSED_FILE),
            )

    def abandon(self) -> None:
        self._is_finished = self._is_abandoned = True
        self._sender.leave()
        self._owned.close()

    @property
    def is_current(self) -> bool:
        return not self._is_abandoned and self._ownership.is_current()

    def _note_status(self, status: str, now: int) -> None:
        """Note a status for earlier processes of the run that may wake up and replace it."""
        if self._is_resumed:
            with contextlib.suppress(OSError, OwnershipLostError):
                write_status(self._outbox.path.parent, status, now)

    def _append(self, kind: str, **fields: object) -> None:
        if self.is_current:
            self._outbox.append({"kind": kind, **fields})


def _now() -> int:
    """Return the time in MLflow's unit, milliseconds since 1970."""
    return int(time.time() * 1000)


def format_param(value: object) -> str:
    """Return a param as YAML would write it, without credentials."""
    return scrub(value if isinstance(value, str) else json.dumps(value, default=str))
