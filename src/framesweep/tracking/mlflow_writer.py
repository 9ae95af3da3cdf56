"""Sends the records of an outbox to an MLflow run, so that sending one twice has no effect.

A record arrives twice if its process was killed after MLflow had received it and before the
outbox forgot it, or if a server's answer got lost. What makes the second time harmless differs
from kind to kind:

- `start` creates a run, which MLflow would simply do again. The record therefore carries a
  random key, which becomes a tag of the run. If the record may have been sent before, the run
  with that key is looked for first.
- `metrics` carry the time at which they were logged. MLflow stores a row for each distinct
  (metric, time, step, value), so the same record adds nothing. A resumed run logs its earlier
  epochs at other times, so those that MLflow has are skipped. A writer that did not create the
  run itself asks MLflow which those are, whatever record comes first: the `resume` of an
  earlier process may have been sent and removed, and the epochs after it still wait.
- `params` cannot change once they are set; those that the run has are skipped.
- `tags`, `dataset`, `artifact` and `status` overwrite themselves; `model` compares a hash, and
  `register` looks for the version that it may have created.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from framesweep.catalog.run_file import RUN_FILE, read_run_file, read_status, write_run_file
from framesweep.credentials import scrub
from framesweep.errors import LostRunError, TrackingError
from framesweep.tracking import mlflow_store
from framesweep.tracking.mlflow_errors import require_run, translate_temporary_errors
from framesweep.tracking.mlflow_limits import (
    MAX_PARAM_LENGTH,
    MAX_TAG_LENGTH,
    METRICS_PER_CALL,
    PARAMS_PER_CALL,
    split,
    truncate,
)
from framesweep.tracking.moved_artifacts import find_moved_file
from framesweep.tracking.records import FIELDS, OutboxRecord
from framesweep.tracking.scrubbed_files import without_credentials

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


@dataclass
class _Logged:
    """What a run has: the names of its params, and each metric with its step."""

    params: set[str] = field(default_factory=set)
    metrics: set[tuple[str, int]] = field(default_factory=set)


class MlflowWriter:
    """Sends records to the run whose tracking folder is `directory`.

    The folder's `run.json` says which run that is. It is written once MLflow has created the
    run, atomically and synced to disk: a restart must find either all of it or nothing.
    """

    def __init__(self, uri: str, experiment: str, outputs: Path, directory: Path) -> None:
        self._uri = uri
        self._experiment = experiment
        self._outputs = outputs
        self._directory = directory.parent
        self._file = directory / RUN_FILE
        self._run_info = read_run_file(directory)
        self._logged: _Logged | None = None  # not known yet
        self._created_id: str | None = None
        self.run_id = self._run_info.get("run_id")

    def write(self, record: OutboxRecord) -> None:
        """Send one record.

        Raises:
            OSError: tracking cannot be reached at the moment, or a file to upload is missing.
            LostRunError: tracking does not have the run.
            MlflowException, TrackingError: tracking refuses the record.
        """
        from mlflow.exceptions import MlflowException

        if record["kind"] not in FIELDS:
            rule = "must be of a kind that this version knows"
            raise TrackingError("record", rule, found=record["kind"])
        with translate_temporary_errors():
            try:
                getattr(self, f"_write_{record['kind']}")(record)
            except MlflowException:
                # Was it the record that MLflow refused, or is the run gone?
                if self.run_id is not None:
                    require_run(self._client, self._uri, self.run_id)
                raise

    @cached_property
    def _client(self) -> "MlflowClient":
        return mlflow_store.connect(self._uri, self._outputs)

    @cached_property
    def _experiment_id(self) -> str:
        return mlflow_store.get_or_create_experiment(
            self._client, self._experiment, self._uri, self._outputs
        )

    @property
    def key(self) -> str | None:
        """Return the key of the `start` record that created the run."""
        return self._run_info.get("key")

    @property
    def _required_run_id(self) -> str:
        if self.run_id is None:
            raise LostRunError(self._file, "must name the run")
        return self.run_id

    def _write_start(self, record: OutboxRecord) -> None:
        self._logged = None
        if self.key != record["key"]:
            self.run_id = self._find_run(record) if "again" in record else None
            if self.run_id is None:
                run = self._client.create_run(
                    self._experiment_id, record["time"], record["tags"], record["name"]
                )
                self.run_id = self._created_id = run.info.run_id
                self._logged = _Logged()
            self._write_run_file(record["key"])

    def _find_run(self, record: OutboxRecord) -> str | None:
        """Return the run that an earlier attempt created but could not write to `run.json`."""
        found = self._client.search_runs(
            [self._experiment_id], f"tags.`framesweep.key` = '{record['key']}'", max_results=1
        )
        return str(found[0].info.run_id) if found else None

    def _write_resume(self, record: OutboxRecord) -> None:
        self.run_id = record["run_id"] or self._required_run_id
        self._client.update_run(self._required_run_id, "RUNNING")
        self._logged = None
        self._write_run_file(self.key or "")

    def _require_logged(self) -> "_Logged":
        """Return what the run has; MLflow is asked unless this writer created the run."""
        if self._logged is None:
            data = self._client.get_run(self._required_run_id).data
            metrics = {
                (name, metric.step)
                for name in data.metrics
                for metric in self._client.get_metric_history(self._required_run_id, name)
            }
            self._logged = _Logged(set(data.params), metrics)
        return self._logged

    def _delete_second_run(self, run_id: str, known: str | None) -> None:
        """Delete a run whose successor could not find it, and has created the run `known`."""
        if known is None:
            raise TimeoutError("the successor may still find this run, or create one")
        with translate_temporary_errors():
            self._client.delete_run(run_id)

    def _write_run_file(self, key: str) -> None:
        run_info = {"key": key, "run_id": self._required_run_id, "uri": scrub(self._uri)}
        write_run_file(self._file.parent, run_info)
        # Only now: where the disk was full, the record is sent again, and must be written then.
        self._run_info = run_info

    def _write_params(self, record: OutboxRecord) -> None:
        from mlflow.entities import Param

        logged = self._require_logged().params
        new = {k: v for k, v in record["params"].items() if k not in logged}
        for batch in split(new.items(), PARAMS_PER_CALL):
            params = [Param(k, truncate(v, MAX_PARAM_LENGTH)) for k, v in batch]
            self._client.log_batch(self._required_run_id, params=params)
        logged |= set(new)

    def _write_tags(self, record: OutboxRecord) -> None:
        from mlflow.entities import RunTag

        for batch in split(record["tags"].items(), PARAMS_PER_CALL):
            tags = [RunTag(k, truncate(v, MAX_TAG_LENGTH)) for k, v in batch]
            self._client.log_batch(self._required_run_id, tags=tags)

    def _write_metrics(self, record: OutboxRecord) -> None:
        from mlflow.entities import Metric

        step, time = record["step"], record["time"]
        logged = self._require_logged().metrics
        new = [k for k in record["metrics"] if (k, step) not in logged]
        for batch in split(new, METRICS_PER_CALL):
            metrics = [Metric(k, record["metrics"][k], time, step) for k in batch]
            self._client.log_batch(self._required_run_id, metrics)
        logged |= {(k, step) for k in new}

    def _write_dataset(self, record: OutboxRecord) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        context = InputTag("mlflow.data.context", "training")
        dataset = Dataset(**record["dataset"])
        self._client.log_inputs(self._required_run_id, [DatasetInput(dataset, [context])])

    def _write_artifact(self, record: OutboxRecord) -> None:
        with without_credentials(find_moved_file(record["path"], self._directory)) as path:
            self._client.log_artifact(
                self._required_run_id, str(path), record["folder"] or None
            )

    def _write_model(self, record: OutboxRecord) -> None:
        from framesweep.tracking.models.mlflow_model import log_model

        with without_credentials(find_moved_file(record["path"], self._directory)) as path:
            log_model(self._client, self._required_run_id, path)

    def _write_register(self, record: OutboxRecord) -> None:
        from framesweep.tracking.models.registry import register_run

        register_run(self._client, self._required_run_id, record["name"])

    def _write_status(self, record: OutboxRecord) -> None:
        self._set_status(self._required_run_id, record["status"], record["time"])

    def _set_status(self, run_id: str, status: str, time: int) -> None:
        if status == "RUNNING":
            self._client.update_run(run_id, status)
        else:
            self._client.set_terminated(run_id, status, time)

    def restore(self) -> None:
        """Give the run the status that its present owner has given it, or delete a second run.

        The owner may give it another one meanwhile, before which it writes that to a file. The
        file is therefore read again afterwards.

        Raises:
            OSError: tracking cannot be reached at the moment, or the owner has no run yet.
        """
        folder, restored = self._file.parent, None
        known = read_run_file(folder).get("run_id")
        if known != self.run_id or known is None:
            if self._created_id is not None:
                self._delete_second_run(self._created_id, known)
            return
        while (wanted := read_status(folder)) is not None and wanted != restored:
            restored = wanted
            with translate_temporary_errors():
                self._set_status(known, *wanted)
