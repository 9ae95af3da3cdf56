"""Sends the records of an outbox to an MLflow run, so that sending one twice has no effect.

A record arrives twice if its process was killed after MLflow had received it and before the
outbox forgot it, or if a server's answer got lost. What makes the second time harmless differs
from kind to kind:

- `start` creates a run, which MLflow would simply do again. The record therefore carries a
  random key, which becomes a tag of the run. If the record may have been sent before, the run
  with that key is looked for first.
- `metrics` carry the time at which they were logged. MLflow stores a row for each distinct
  (metric, time, step, value), so the same record adds nothing. A resumed run logs its earlier
  epochs at other times; `resume` therefore asks MLflow which epochs it has, to skip those.
- `params` cannot change once they are set; those that the run has are skipped.
- `tags`, `dataset`, `artifact` and `status` overwrite themselves; `model` compares a hash, and
  `register` looks for the version that it may have created.
"""

import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from framesweep.catalog.run_file import RUN_FILE, read_run_file, write_run_file
from framesweep.credentials import scrub
from framesweep.errors import TrackingError
from framesweep.tracking import mlflow_store
from framesweep.tracking.mlflow_errors import translate_temporary_errors
from framesweep.tracking.records import FIELDS, OutboxRecord
from framesweep.tracking.scrubbed_files import without_credentials
from framesweep.tracking.sender import LostRunError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

PARAMS_PER_CALL, METRICS_PER_CALL = 100, 1000
"""The most params or tags, and the most metrics, that MLflow accepts in one request."""

MAX_PARAM_LENGTH, MAX_TAG_LENGTH = 6000, 8000
"""The longest values that MLflow stores, in characters."""

Item = TypeVar("Item")


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
        self._logged_params: set[str] = set()
        self._logged_metrics: set[tuple[str, int]] = set()
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
                    self._require_run(self.run_id)
                raise

    def _require_run(self, run_id: str) -> None:
        """Raise LostRunError if tracking does not have the run, or it has been deleted."""
        from mlflow.exceptions import MlflowException

        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise LostRunError(scrub(self._uri), f"must have the run {run_id}") from None
        if run.info.lifecycle_stage != "active":
            rule = f"must have the run {run_id}, which has been deleted"
            raise LostRunError(scrub(self._uri), rule)

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
        if self.key != record["key"]:
            self.run_id = self._find_run(record) if "again" in record else None
            if self.run_id is None:
                run = self._client.create_run(
                    self._experiment_id, record["time"], record["tags"], record["name"]
                )
                self.run_id = run.info.run_id
            self._write_run_file(record["key"])
        self._logged_params, self._logged_metrics = set(), set()

    def _find_run(self, record: OutboxRecord) -> str | None:
        """Return the run that an earlier attempt created but could not write to `run.json`."""
        found = self._client.search_runs(
            [self._experiment_id], f"tags.`framesweep.key` = '{record['key']}'", max_results=1
        )
        return str(found[0].info.run_id) if found else None

    def _write_resume(self, record: OutboxRecord) -> None:
        self.run_id = record["run_id"] or self._required_run_id
        self._client.update_run(self._required_run_id, "RUNNING")
        data = self._client.get_run(self._required_run_id).data
        self._logged_params = set(data.params)
        self._logged_metrics = {
            (name, metric.step)
            for name in data.metrics
            for metric in self._client.get_metric_history(self._required_run_id, name)
        }
        self._write_run_file(self.key or "")

    def _write_run_file(self, key: str) -> None:
        self._run_info = {
            "key": key,
            "run_id": self._required_run_id,
            "uri": scrub(self._uri),
        }
        write_run_file(self._file.parent, self._run_info)

    def _write_params(self, record: OutboxRecord) -> None:
        from mlflow.entities import Param

        new = {k: v for k, v in record["params"].items() if k not in self._logged_params}
        for batch in _split(new.items(), PARAMS_PER_CALL):
            params = [Param(k, _truncate(v, MAX_PARAM_LENGTH)) for k, v in batch]
            self._client.log_batch(self._required_run_id, params=params)
        self._logged_params |= set(new)

    def _write_tags(self, record: OutboxRecord) -> None:
        from mlflow.entities import RunTag

        for batch in _split(record["tags"].items(), PARAMS_PER_CALL):
            tags = [RunTag(k, _truncate(v, MAX_TAG_LENGTH)) for k, v in batch]
            self._client.log_batch(self._required_run_id, tags=tags)

    def _write_metrics(self, record: OutboxRecord) -> None:
        from mlflow.entities import Metric

        step, time = record["step"], record["time"]
        new = [k for k in record["metrics"] if (k, step) not in self._logged_metrics]
        for batch in _split(new, METRICS_PER_CALL):
            metrics = [Metric(k, record["metrics"][k], time, step) for k in batch]
            self._client.log_batch(self._required_run_id, metrics)
        self._logged_metrics |= {(k, step) for k in new}

    def _write_dataset(self, record: OutboxRecord) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        context = InputTag("mlflow.data.context", "training")
        dataset = Dataset(**record["dataset"])
        self._client.log_inputs(self._required_run_id, [DatasetInput(dataset, [context])])

    def _write_artifact(self, record: OutboxRecord) -> None:
        with without_credentials(self._find_file(record)) as path:
            self._client.log_artifact(
                self._required_run_id, str(path), record["folder"] or None
            )

    def _write_model(self, record: OutboxRecord) -> None:
        from framesweep.tracking.models.mlflow_model import log_model

        with without_credentials(self._find_file(record)) as path:
            log_model(self._client, self._required_run_id, path)

    def _write_register(self, record: OutboxRecord) -> None:
        from framesweep.tracking.models.registry import register_run

        register_run(self._client, self._required_run_id, record["name"])

    def _find_file(self, record: OutboxRecord) -> Path:
        """Return the path of a record's file, which may have been moved with the run."""
        recorded = Path(record["path"])
        if not os.path.exists(recorded):  # noqa: PTH110 - unlike Path's, it never raises
            for depth in range(1, len(recorded.parts)):
                moved = self._directory.joinpath(*recorded.parts[-depth:])
                if moved.exists():
                    return moved
        return recorded

    def _write_status(self, record: OutboxRecord) -> None:
        self._client.set_terminated(self._required_run_id, record["status"], record["time"])


def _split(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _truncate(value: str, length: int) -> str:
    """Return at most `length` characters, the last of which say that some were cut off."""
    if len(value) <= length:
        return value
    tail = f"... ({len(value)} characters)"
    return value[: length - len(tail)] + tail
