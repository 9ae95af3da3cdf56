"""What each kind of record does to an MLflow run. A record may come twice and counts once."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from framesweep.credentials import scrub
from framesweep.system.atomic_files import write_text
from framesweep.tracking import mlflow_store
from framesweep.tracking.outbox import OutboxRecord
from framesweep.tracking.sender import LostRunError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

RUN_FILE = "run.json"
PARAMS_PER_CALL, METRICS_PER_CALL = 100, 1000
PARAM_LENGTH, TAG_LENGTH = 6000, 8000
"""MLflow's limits: entities a call, characters a value."""

TEXT_SUFFIXES = {".yaml", ".yml", ".json", ".csv", ".txt", ".log", ".md"}
MAX_TEXT_BYTES = 10_000_000
Item = TypeVar("Item")


class MlflowWriter:
    """Brings records to the run whose tracking files lie in `directory`.

    `run.json` there says which run that is; it is written when MLflow has made the run.
    """

    def __init__(self, uri: str, experiment: str, outputs: Path, directory: Path) -> None:
        self._uri = uri
        self._experiment = experiment
        self._outputs = outputs
        self._file = directory / RUN_FILE
        self._known = read_run_file(directory)
        self._params: set[str] = set()
        self._metrics: set[tuple[str, int]] = set()
        self.run_id = self._known.get("run_id")

    def write(self, record: OutboxRecord) -> None:
        """Sends one record.

        Raises:
            OSError: tracking cannot be reached right now.
            LostRunError: it does not have the run.
            MlflowException, TrackingError: it will not have this record.
        """
        from mlflow.exceptions import MlflowException

        with mlflow_store.translate_temporary_errors():
            try:
                getattr(self, f"_write_{record['kind']}")(record)
            except MlflowException:
                if self.run_id is not None:
                    self._check_run(self.run_id)
                raise

    def _check_run(self, run_id: str) -> None:
        """Raises LostRunError where tracking has no such run."""
        from mlflow.exceptions import MlflowException

        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise LostRunError(scrub(self._uri), f"must have the run {run_id}") from None
        if run.info.lifecycle_stage != "active":
            raise LostRunError(scrub(self._uri), f"must have the run {run_id} undeleted")

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
        """The key that the run was started with."""
        return self._known.get("key")

    @property
    def _run(self) -> str:
        if self.run_id is None:
            raise LostRunError(self._file, "must name the run")
        return self.run_id

    def _write_start(self, record: OutboxRecord) -> None:
        if self.key != record["key"]:
            self.run_id = self._find(record) if "again" in record else None
            if self.run_id is None:
                run = self._client.create_run(
                    self._experiment_id, record["time"], record["tags"], record["name"]
                )
                self.run_id = run.info.run_id
            self._remember(record["key"])
        self._params, self._metrics = set(), set()

    def _find(self, record: OutboxRecord) -> str | None:
        """The run that a process made and did not live to remember."""
        found = self._client.search_runs(
            [self._experiment_id], f"tags.`framesweep.key` = '{record['key']}'", max_results=1
        )
        return str(found[0].info.run_id) if found else None

    def _write_resume(self, record: OutboxRecord) -> None:
        self.run_id = record["run_id"] or self._run
        self._client.update_run(self._run, "RUNNING")
        data = self._client.get_run(self._run).data
        self._params = set(data.params)
        self._metrics = {
            (name, metric.step)
            for name in data.metrics
            for metric in self._client.get_metric_history(self._run, name)
        }
        self._remember(self.key or "")

    def _remember(self, key: str) -> None:
        self._known = {"key": key, "run_id": self._run, "uri": scrub(self._uri)}
        write_text(self._file, json.dumps(self._known))

    def _write_params(self, record: OutboxRecord) -> None:
        from mlflow.entities import Param

        new = {k: v for k, v in record["params"].items() if k not in self._params}
        for part in _parts(new.items(), PARAMS_PER_CALL):
            self._client.log_batch(
                self._run, params=[Param(k, _short(v, PARAM_LENGTH)) for k, v in part]
            )
        self._params |= set(new)

    def _write_tags(self, record: OutboxRecord) -> None:
        from mlflow.entities import RunTag

        for part in _parts(record["tags"].items(), PARAMS_PER_CALL):
            self._client.log_batch(
                self._run, tags=[RunTag(k, _short(v, TAG_LENGTH)) for k, v in part]
            )

    def _write_metrics(self, record: OutboxRecord) -> None:
        from mlflow.entities import Metric

        step, time = record["step"], record["time"]
        new = [k for k in record["metrics"] if (k, step) not in self._metrics]
        for part in _parts(new, METRICS_PER_CALL):
            self._client.log_batch(
                self._run, [Metric(k, record["metrics"][k], time, step) for k in part]
            )
        self._metrics |= {(k, step) for k in new}

    def _write_dataset(self, record: OutboxRecord) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        context = InputTag("mlflow.data.context", "training")
        dataset = Dataset(**record["dataset"])
        self._client.log_inputs(self._run, [DatasetInput(dataset, [context])])

    def _write_artifact(self, record: OutboxRecord) -> None:
        with _scrubbed(Path(record["path"])) as path:
            self._client.log_artifact(self._run, str(path), record["folder"] or None)

    def _write_model(self, record: OutboxRecord) -> None:
        from framesweep.tracking.mlflow_model import log_model

        with _scrubbed(Path(record["path"])) as path:
            log_model(self._client, self._run, path, record["feature_dim"])

    def _write_status(self, record: OutboxRecord) -> None:
        self._client.set_terminated(self._run, record["status"], record["time"])


def read_run_file(directory: Path) -> dict[str, str]:
    """What `run.json` in the run's tracking folder says; empty where there is none."""
    try:
        known: dict[str, str] = json.loads((directory / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known


def _parts(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def _short(value: str, length: int) -> str:
    if len(value) <= length:
        return value
    tail = f"... ({len(value)} characters)"
    return value[: length - len(tail)] + tail


@contextlib.contextmanager
def _scrubbed(path: Path) -> Iterator[Path]:
    """Gives `path`, or a copy where a text in it, or it itself, names credentials."""
    texts = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    clean = {p: text for p in texts if (text := _clean_text(p)) is not None}
    if not clean:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        if path.is_dir():
            shutil.copytree(path, copy)
        for original, text in clean.items():
            target = copy / original.relative_to(path) if path.is_dir() else copy
            target.write_text(text, encoding="utf-8")
        yield copy


def _clean_text(path: Path) -> str | None:
    """The scrubbed text of a file that needs it; None for all others."""
    if path.suffix not in TEXT_SUFFIXES or path.stat().st_size > MAX_TEXT_BYTES:
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    clean = scrub(text)
    return clean if clean != text else None
