"""Finds runs that were tracked before."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from framesweep.config.composition import CONFIG
from framesweep.credentials import scrub
from framesweep.errors import TrackingError
from framesweep.tracking import mlflow_store
from framesweep.tracking.mlflow_tracker import RUN_DIRECTORY_PATTERNS, TRACKING_FOLDER
from framesweep.tracking.mlflow_writer import read_run_file
from framesweep.tracking.ui_view import VIEW_TAG

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A tracked run.

    Attributes:
        status: RUNNING, FINISHED, FAILED or KILLED.
        directory: where it ran and its checkpoints lie.
        metrics: the last value of each.
    """

    run_id: str
    name: str
    status: str
    directory: Path
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


def load_run(run_id: str, uri: str | None, outputs: Path) -> RunInfo:
    """The run with this MLflow id, or the one in this directory.

    While a server is away, a run that lies in `outputs` is still found, its status UNKNOWN.

    Args:
        run_id: an MLflow run id, or a run's directory.
        uri: `tracking.uri`; None for SQLite in `outputs`.

    Raises:
        TrackingError: there is no such run, it was not made by framesweep, or tracking cannot
            be reached.
    """
    directory = _as_directory(run_id)
    if directory is not None:
        run_id = read_run_file(directory / TRACKING_FOLDER).get("run_id", "")
        if not run_id:
            return _unknown(run_id, directory)
    try:
        with _client(uri, outputs) as client:
            return _info(_get_run(client, run_id))
    except UnreachableError:
        directory = directory or _find_directory(run_id, outputs)
        if directory is None:
            raise
        return _unknown(run_id, directory)


def find_run_directory(run_id: str, uri: str | None, outputs: Path) -> Path:
    """Where the run lies; of one given by its directory tracking is not asked.

    Raises:
        TrackingError: as `load_run`.
    """
    directory = Path(run_id)
    if (directory / CONFIG).exists():
        return directory
    return load_run(run_id, uri, outputs).directory


def list_child_runs(run_id: str, uri: str | None, outputs: Path) -> list[RunInfo]:
    """The runs nested under a run, first started first; raises TrackingError as `load_run`."""
    with _client(uri, outputs) as client:
        parent = _get_run(client, run_id)
        query = f"tags.`mlflow.parentRunId` = '{run_id}'"
        found: list[Run] = []
        token = None
        while True:
            page = client.search_runs(
                [parent.info.experiment_id],
                query,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            found += page
            token = page.token
            if not token:
                return [_info(run) for run in found]


def find_latest_experiment(uri: str | None, outputs: Path) -> str | None:
    """Id of the experiment of ours whose run began last; None where no run has begun.

    Raises:
        TrackingError: tracking cannot be reached, or its tables are of another MLflow.
    """
    with _client(uri, outputs) as client:
        ours = [e.experiment_id for e in client.search_experiments() if VIEW_TAG in e.tags]
        if not ours:
            return None
        order = ["attributes.start_time DESC"]
        runs = client.search_runs(ours, max_results=1, order_by=order)
        return str(runs[0].info.experiment_id) if runs else None


def load_metric_history(
    run_id: str, metric: str, uri: str | None, outputs: Path
) -> dict[int, float]:
    """A metric's value at each epoch; empty where it was never logged.

    Raises:
        TrackingError: as `load_run`.
    """
    with _client(uri, outputs) as client:
        _get_run(client, run_id)
        history = client.get_metric_history(run_id, metric)
    return {one.step: one.value for one in sorted(history, key=lambda m: m.step)}


class UnreachableError(TrackingError):
    """Tracking cannot be reached right now."""


@contextmanager
def _client(uri: str | None, outputs: Path) -> "Iterator[MlflowClient]":
    full = mlflow_store.resolve_tracking_uri(uri, outputs)
    path = mlflow_store.get_sqlite_path(full)
    if path is not None and not path.exists():
        raise TrackingError(path, "must exist", fix="Has any run been tracked there yet?")
    mlflow_store.import_mlflow()
    try:
        with mlflow_store.translate_temporary_errors():
            yield mlflow_store.connect(full, outputs)
    except OSError as error:
        reason = scrub(str(error).split("\n", maxsplit=1)[0])
        raise UnreachableError(scrub(full), f"must be within reach ({reason})") from None


def _get_run(client: "MlflowClient", run_id: str) -> "Run":
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if mlflow_store.is_temporary(error):
            raise
        raise TrackingError(
            "run",
            "must be the id of a tracked run",
            found=run_id,
            fix="`framesweep ui` lists them.",
        ) from None


def _info(run: "Run") -> RunInfo:
    directory = run.data.tags.get("framesweep.run_dir")
    if directory is None:
        raise TrackingError("run", "must have been made by framesweep", found=run.info.run_id)
    return RunInfo(
        run_id=run.info.run_id,
        name=run.info.run_name or "",
        status=run.info.status,
        directory=Path(directory),
        params=run.data.params,
        metrics=run.data.metrics,
        tags=run.data.tags,
    )


def _as_directory(text: str) -> Path | None:
    """The run's directory that `text` names; None where it names none."""
    try:
        return Path(text) if text and (Path(text) / TRACKING_FOLDER).is_dir() else None
    except (OSError, ValueError):
        return None


def _unknown(run_id: str, directory: Path) -> RunInfo:
    return RunInfo(run_id, "", "UNKNOWN", directory, {}, {}, {})


def _find_directory(run_id: str, outputs: Path) -> Path | None:
    for pattern in RUN_DIRECTORY_PATTERNS:
        for folder in outputs.glob(f"{pattern}/{TRACKING_FOLDER}"):
            if read_run_file(folder).get("run_id") == run_id:
                return folder.parent
    return None
