"""Sends the records that a run could not send itself while it was running."""

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

from framesweep.catalog.directories import RUN_DIRECTORY_PATTERNS, TRACKING_FOLDER
from framesweep.catalog.run_file import RUN_FILE, read_run_file
from framesweep.config import TrackingConfig
from framesweep.config.composition import CONFIG_FILE, load
from framesweep.config.paths import find_outputs, follow_move, sqlite_path, sqlite_url
from framesweep.credentials import HIDDEN, URI_VARIABLE, scrub, scrub_all_users
from framesweep.errors import DirectoryInUseError, TrackingError, UserError
from framesweep.system.locks.ownership import Ownership, own
from framesweep.tracking import mlflow_store
from framesweep.tracking.mlflow_errors import summarize_error
from framesweep.tracking.mlflow_import import import_mlflow
from framesweep.tracking.mlflow_writer import MlflowWriter
from framesweep.tracking.outbox import OUTBOX_FILE, REFUSED_FILE, Outbox, replace_start
from framesweep.tracking.sender import Sender
from framesweep.tracking.tracked_runs import UnreachableError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Destination:
    """Where a run is tracked; `uri` is None if nothing in its directory says so."""

    uri: str | None
    outputs: Path
    experiment: str = TrackingConfig().experiment


def find_unsent_runs(outputs: Path) -> list[Path]:
    """Return the directories of the runs in `outputs` that have unsent records."""
    outboxes = [
        outbox
        for pattern in RUN_DIRECTORY_PATTERNS
        for outbox in outputs.glob(f"{pattern}/{TRACKING_FOLDER}/{OUTBOX_FILE}")
    ]
    return sorted(outbox.parents[1] for outbox in outboxes if outbox.stat().st_size > 0)


def sync_ended_runs(
    folder: Path, outputs: Path, seconds: float, *, uri: str | None = None
) -> list[Path]:
    """Send the unsent records of the runs in the folders of `folder`, except those in training.

    Args:
        folder: the folder of a search, which has a folder for each of its trials.
        outputs: outputs folder of a run that does not name its own.
        seconds: how long to try with all of them together.
        uri: the tracking URI of all runs.

    Returns:
        The directories of the runs whose records could not be sent.
    """
    end = time.monotonic() + seconds
    unsent = []
    for outbox in sorted(folder.glob(f"*/{TRACKING_FOLDER}/{OUTBOX_FILE}")):
        directory = outbox.parents[1]
        try:
            sync(directory, outputs, max(0.0, end - time.monotonic()), uri=uri)
        except DirectoryInUseError:
            continue  # another sweeper's trial, which sends its records itself
        except UserError as error:
            log.debug("%s", error)
            unsent.append(directory)
    return unsent


def sync(
    directory: Path,
    outputs: Path,
    seconds: float,
    *,
    uri: str | None = None,
    experiment: str | None = None,
) -> None:
    """Send the unsent records of the run in `directory` to the run's own destination.

    The run must have ended: a running one sends its records itself, and emptying the file here
    would delete what it appends there.

    Args:
        outputs: outputs folder of a run that does not name its own.
        seconds: how long to try.
        uri, experiment: destination of a run that has not been created at its own yet.

    Raises:
        DirectoryInUseError: the run is being trained, or another process has taken it over.
        ConfigError: the URI is none that MLflow can keep runs in, or its password is missing.
        UnreachableError: some records are still unsent after `seconds`.
        TrackingError: no run was tracked in `directory`; it is tracked at another URI; tracking
            does not accept the run, whose records are then kept; or it refused some records.
    """
    path = directory / TRACKING_FOLDER / OUTBOX_FILE
    if not path.exists():
        raise TrackingError(path, "must exist", fix="Name the directory of a tracked run.")
    if path.stat().st_size == 0:
        return
    with own(directory) as ownership:
        _sync(ownership, outputs, seconds, uri, experiment)


def _sync(
    ownership: Ownership, outputs: Path, seconds: float, uri: str | None, experiment: str | None
) -> None:
    directory = ownership.directory
    path = directory / TRACKING_FOLDER / OUTBOX_FILE
    outbox = Outbox(path)
    destination = _find_destination(directory, outputs, outbox)
    full_uri = _choose_uri(uri, destination, directory)
    import_mlflow()
    name = experiment or destination.experiment
    writer = MlflowWriter(full_uri, name, destination.outputs, path.parent)
    if outbox.lacks_start and writer.run_id is None:
        place = {"uri": scrub(full_uri), "experiment": name}
        replace_start(outbox, directory, place | {"outputs": str(destination.outputs)})
    # A process that was suspended meanwhile, and whose place another has taken, sends no more.
    sender = Sender(outbox, writer, ownership.is_current)
    num_unsent = sender.close(seconds)
    if num_unsent and not ownership.is_current():
        raise DirectoryInUseError(directory, "was taken over, and its records with it")
    _require_all_sent(sender, num_unsent, outbox.num_damaged, directory)


def _find_destination(directory: Path, outputs: Path, outbox: Outbox) -> _Destination:
    """Return where the run is tracked.

    The best evidence comes first: `run.json` says where the run was created, its `start` record
    where it was to be created, its config what the user asked for.
    """
    if known := read_run_file(directory / TRACKING_FOLDER).get("uri"):
        return _Destination(_follow_database(known, directory), outputs)
    start = outbox.last("start")
    if start is not None and "uri" in start:
        uri, recorded = _follow_database(start["uri"], directory), Path(start["outputs"])
        moved = find_outputs(directory) if uri != start["uri"] else None
        return _Destination(uri, moved or recorded, start["experiment"])
    path = directory / CONFIG_FILE
    if path.exists():
        config = load(path.read_text(encoding="utf-8"), [], path)
        follow_move(config, directory)
        own_outputs = Path(config.outputs)
        uri = config.tracking.uri or mlflow_store.resolve_tracking_uri(None, own_outputs)
        return _Destination(uri, own_outputs, config.tracking.experiment)
    return _Destination(None, outputs)


def _follow_database(uri: str, directory: Path) -> str:
    """Return the URI of a SQLite file that was moved together with the run's directory."""
    database, outputs = sqlite_path(uri), find_outputs(directory)
    if database is None:
        return uri
    if outputs is not None and not os.path.exists(database):  # noqa: PTH110 - never raises
        moved = outputs / database.name
        database = moved if moved.exists() else database
    return sqlite_url(database)


def _choose_uri(given: str | None, destination: _Destination, directory: Path) -> str:
    """Return the URI to send to, which must be the run's own once the run was created there.

    Anything else would split one run between two servers. A stored URI lacks its password
    (`***`), so the one given in its place must agree in everything else.

    Raises:
        ConfigError: the URI is none that MLflow can keep runs in, or its password is missing.
        TrackingError: no URI is known, or the given one belongs to another server.
    """
    wanted = given or destination.uri
    if wanted is None:
        rule = "must say where its run is tracked"
        raise TrackingError(
            directory / TRACKING_FOLDER, rule, fix="Pass --uri and --experiment."
        )
    uri = mlflow_store.resolve_tracking_uri(wanted, destination.outputs)
    run_file = directory / TRACKING_FOLDER / RUN_FILE
    known = destination.uri and scrub_all_users(destination.uri)
    if scrub_all_users(uri) != known and (HIDDEN in wanted or run_file.exists()):
        raise TrackingError(
            "--uri" if given else URI_VARIABLE,
            f"must be {destination.uri}, where the run of {directory} is tracked",
            found=scrub(uri),
            fix=f"If the server has moved, change {run_file}."
            if run_file.exists()
            else "Pass --uri.",
        )
    return uri


def _require_all_sent(
    sender: Sender, num_unsent: int, num_damaged: int, directory: Path
) -> None:
    refused = directory / TRACKING_FOLDER / REFUSED_FILE
    if sender.run_error is not None:
        reason = summarize_error(sender.run_error)
        raise TrackingError(directory, f"{num_unsent} records are still unsent ({reason})")
    if num_unsent:
        rule = f"{num_unsent} records are still unsent"
        raise UnreachableError(directory, rule, fix="Try again later.")
    if num_refused := sender.num_refused + num_damaged:
        raise TrackingError(
            directory, f"{num_refused} records were refused and moved to {refused}"
        )
