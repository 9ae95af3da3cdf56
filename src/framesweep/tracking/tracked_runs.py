"""Finds runs that have been tracked, and reads what they logged."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from framesweep.catalog.database import DATABASE, RUN_DIRECTORY_TAG
from framesweep.catalog.directories import RUN_DIRECTORY_PATTERNS, TRACKING_FOLDER
from framesweep.catalog.resolve import ambiguous_error, resolve_run, unknown_run_error
from framesweep.catalog.run_file import read_run_file
from framesweep.config.composition import CONFIG_FILE
from framesweep.config.paths import find_moved, sqlite_path
from framesweep.credentials import scrub
from framesweep.errors import TrackingError
from framesweep.tracking import mlflow_store
from framesweep.tracking.mlflow_errors import (
    is_temporary,
    translate_damage,
    translate_temporary_errors,
)
from framesweep.tracking.mlflow_import import import_mlflow
from framesweep.tracking.ui_view import VIEW_TAG

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A tracked run.

    Attributes:
        status: RUNNING, FINISHED, FAILED or KILLED; UNKNOWN while tracking is unreachable.
        directory: the run's directory, with its config and checkpoints.
        metrics: the last value of each metric.
    """

    run_id: str
    name: str
    status: str
    directory: Path
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


def load_run(run_id: str, uri: str | None, outputs: Path) -> RunInfo:
    """Return the run that a text names: an id, its beginning, a name, a directory, last, best.

    `catalog.resolve_run` says what names a run; those on a server are found by id and name,
    too. While the tracking server cannot be reached, a run whose directory is in `outputs` is
    found all the same, with status UNKNOWN and without params and metrics: its checkpoint is
    enough to evaluate it.

    Args:
        run_id: what the user typed for the run.
        uri: `tracking.uri`; None for SQLite in `outputs`.

    Raises:
        TrackingError: there is no such run or there are several, it was not created by
            framesweep, or tracking cannot be reached.
    """
    run_id, directory = _resolve(run_id, uri, outputs)
    if directory is not None and not run_id:
        return _build_unknown_info(run_id, directory)
    try:
        with connect(uri, outputs, run_id if directory is None else "") as client:
            return build_info(get_run(client, run_id, outputs), directory, outputs)
    except UnreachableError:
        directory = directory or _search_directory(run_id, outputs)
        if directory is None:
            raise
        return _build_unknown_info(run_id, directory)


def find_run_directory(run_id: str, uri: str | None, outputs: Path) -> Path:
    """Return the directory of the run that a text names, as for `load_run`.

    Tracking is asked only if the run is not in `outputs`.

    Raises:
        TrackingError: as `load_run`.
    """
    run_id, directory = _resolve(run_id, uri, outputs)
    if directory is not None and (directory / CONFIG_FILE).exists():
        return directory
    return load_run(run_id, uri, outputs).directory


def _resolve(text: str, uri: str | None, outputs: Path) -> tuple[str, Path | None]:
    """Return the MLflow id and the directory of the run that a text names.

    If `outputs` has no such run, the text itself is returned as an id, for tracking to look up.
    """
    directory = _parse_run_directory(text)
    if directory is not None:
        return read_run_file(directory / TRACKING_FOLDER).get("run_id", ""), directory
    run = resolve_run(text, uri, outputs)
    if run is None:
        return text, None
    return run.run_id, run.directory if os.path.isdir(run.directory) else None  # noqa: PTH112


def find_latest_experiment(uri: str | None, outputs: Path) -> str | None:
    """Return the id of framesweep's experiment with the latest run; None without any run.

    Raises:
        TrackingError: tracking cannot be reached, or its tables are of another MLflow version.
    """
    with connect(uri, outputs) as client:
        ours = [e.experiment_id for e in client.search_experiments() if VIEW_TAG in e.tags]
        if not ours:
            return None
        order = ["attributes.start_time DESC"]
        runs = client.search_runs(ours, max_results=1, order_by=order)
        return str(runs[0].info.experiment_id) if runs else None


def load_metric_history(
    run_id: str, metric: str, uri: str | None, outputs: Path
) -> dict[int, float]:
    """Return a metric's value at each epoch, in order; empty if it was never logged.

    Raises:
        TrackingError: as `load_run`.
    """
    with connect(uri, outputs) as client:
        get_run(client, run_id, outputs)
        history = client.get_metric_history(run_id, metric)
    return {entry.step: entry.value for entry in sorted(history, key=lambda m: m.step)}


class UnreachableError(TrackingError):
    """Tracking cannot be reached at the moment."""


@contextmanager
def connect(uri: str | None, outputs: Path, wanted: str = "") -> "Iterator[MlflowClient]":
    """Yield a client, or raise TrackingError; without a database a `wanted` run is unknown."""
    full_uri = mlflow_store.resolve_tracking_uri(uri, outputs)
    path = sqlite_path(full_uri)
    # Connecting would create the database, and looking for a run must not create anything.
    if path is not None and not path.exists():
        if wanted and path == outputs.absolute() / DATABASE:
            raise unknown_run_error(wanted, outputs)
        raise TrackingError(path, "must exist", fix="Has any run been tracked there yet?")
    import_mlflow()
    try:
        with translate_temporary_errors(), translate_damage(full_uri):
            yield mlflow_store.connect(full_uri, outputs)
    except OSError as error:
        reason = scrub(str(error).split("\n", maxsplit=1)[0])
        raise UnreachableError(scrub(full_uri), f"must be reachable ({reason})") from None


def get_run(client: "MlflowClient", run_id: str, outputs: Path) -> "Run":
    """Return a run; raise TrackingError if there is none, or if several have the name."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if is_temporary(error):
            raise
    matches = _search_runs(client, run_id)
    if len(matches) > 1:
        raise ambiguous_error(run_id, [f"{r.info.run_id} ({r.info.run_name})" for r in matches])
    if not matches:
        raise unknown_run_error(run_id, outputs)
    return matches[0]


def _search_runs(client: "MlflowClient", text: str) -> "list[Run]":
    """Return the runs of framesweep on a server with this name, or whose ids begin so."""
    if not re.fullmatch(r"[^\"\\\0]{3,250}", text):
        return []  # MLflow's search has no way to quote these characters
    ours = [e.experiment_id for e in client.search_experiments() if VIEW_TAG in e.tags]
    for condition in (f'run_name = "{text}"', f'run_id LIKE "{text}%"'):
        found = list(client.search_runs(ours, f"attributes.{condition}")) if ours else []
        if found or not text.isalnum():
            return found
    return []


def build_info(run: "Run", directory: Path | None, outputs: Path) -> RunInfo:
    """Return what MLflow knows of a run; `directory` is looked for if it is None."""
    recorded = run.data.tags.get(RUN_DIRECTORY_TAG)
    if recorded is None:
        rule = "must have been created by framesweep"
        raise TrackingError("run", rule, found=run.info.run_id)
    directory = directory or _find_directory(run.info.run_id, Path(recorded), outputs)
    return RunInfo(
        run_id=run.info.run_id,
        name=run.info.run_name or "",
        status=run.info.status,
        directory=directory,
        params=run.data.params,
        metrics=run.data.metrics,
        tags=run.data.tags,
    )


def _build_unknown_info(run_id: str, directory: Path) -> RunInfo:
    return RunInfo(run_id, "", "UNKNOWN", directory, {}, {}, {})


def _parse_run_directory(text: str) -> Path | None:
    """Return the run's directory that `text` names; None if it names none."""
    try:
        folder = Path(text)
        is_run = (folder / TRACKING_FOLDER).is_dir() or (folder / CONFIG_FILE).is_file()
        return folder if text and is_run else None
    except (OSError, ValueError):
        # Whatever a user types may be too long for a path, or contain a null character.
        return None


def _find_directory(run_id: str, recorded: Path, outputs: Path) -> Path:
    """Return a run's directory: in `outputs` if that has the run, else the recorded one.

    The outputs may have been moved or copied since the run recorded its directory.
    """
    moved = find_moved(recorded, outputs)
    if moved != recorded and _has_run(moved / TRACKING_FOLDER, run_id):
        return moved
    if os.path.isdir(recorded):  # noqa: PTH112 - unlike Path's, it never raises
        return recorded
    return _search_directory(run_id, outputs) or recorded


def _has_run(folder: Path, run_id: str) -> bool:
    try:
        return read_run_file(folder).get("run_id") == run_id
    except (TrackingError, OSError):
        return False  # one damaged file must not hide all other runs


def _search_directory(run_id: str, outputs: Path) -> Path | None:
    for pattern in RUN_DIRECTORY_PATTERNS:
        for folder in outputs.glob(f"{pattern}/{TRACKING_FOLDER}"):
            if _has_run(folder, run_id):
                return folder.parent
    return None
