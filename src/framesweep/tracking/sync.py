"""Sends what could not be sent while its run was alive."""

from dataclasses import dataclass
from pathlib import Path

from framesweep.config import TrackingConfig
from framesweep.config.composition import CONFIG, load
from framesweep.credentials import HIDDEN, scrub
from framesweep.errors import TrackingError
from framesweep.tracking import mlflow_store
from framesweep.tracking.mlflow_tracker import RUN_DIRECTORY_PATTERNS, TRACKING_FOLDER
from framesweep.tracking.mlflow_writer import RUN_FILE, MlflowWriter, read_run_file
from framesweep.tracking.outbox import OUTBOX_FILE, Outbox
from framesweep.tracking.sender import REFUSED_FILE, Sender, summarize_error
from framesweep.tracking.tracked_runs import UnreachableError


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a run goes; `uri` is None where it does not say."""

    uri: str | None
    outputs: Path
    experiment: str = TrackingConfig().experiment


def find_unsent_runs(outputs: Path) -> list[Path]:
    """Directories of the runs in `outputs` with records that have not arrived."""
    boxes = [
        box
        for d in RUN_DIRECTORY_PATTERNS
        for box in outputs.glob(f"{d}/{TRACKING_FOLDER}/{OUTBOX_FILE}")
    ]
    return sorted(box.parents[1] for box in boxes if box.stat().st_size > 0)


def sync(
    directory: Path,
    outputs: Path,
    seconds: float,
    *,
    uri: str | None = None,
    experiment: str | None = None,
) -> None:
    """Sends the records of the run in `directory` to where the run says that it goes.

    The run must not be running: it sends its records itself.

    Args:
        outputs: of a run that does not say.
        uri, experiment: instead of what the run says, as long as it is not there yet.

    Raises:
        ConfigError: MLflow keeps no runs behind the URI, or it lacks its password.
        UnreachableError: records still wait after `seconds`.
        TrackingError: no run was tracked in `directory`, it is kept behind another URI, or
            tracking does not take it, whose records then still wait, or some of them.
    """
    path = directory / TRACKING_FOLDER / OUTBOX_FILE
    if not path.exists():
        raise TrackingError(path, "must exist", fix="Name the directory of a tracked run.")
    if path.stat().st_size == 0:
        return
    outbox = Outbox(path)
    target = _target(directory, outputs, outbox)
    full = _choose_uri(uri, target, directory)
    mlflow_store.import_mlflow()
    name = experiment or target.experiment
    writer = MlflowWriter(full, name, target.outputs, path.parent)
    sender = Sender(outbox, writer)
    left = sender.close(seconds)
    _check_sent(sender, left, directory)


def _target(directory: Path, outputs: Path, outbox: Outbox) -> _Target:
    """What `run.json` says, or else the run's start, or else its config."""
    if known := read_run_file(directory / TRACKING_FOLDER).get("uri"):
        return _Target(known, outputs)
    start = outbox.last("start")
    if start is not None and "uri" in start:
        return _Target(start["uri"], Path(start["outputs"]), start["experiment"])
    path = directory / CONFIG
    if path.exists():
        config = load(path.read_text(encoding="utf-8"), [], path)
        own = Path(config.outputs)
        uri = config.tracking.uri or mlflow_store.resolve_tracking_uri(None, own)
        return _Target(uri, own, config.tracking.experiment)
    return _Target(None, outputs)


def _choose_uri(given: str | None, target: _Target, directory: Path) -> str:
    """The URI in use, which is not to be another than that of a run that is there already."""
    told = given or target.uri
    if told is None:
        rule = "must say where its run is tracked"
        raise TrackingError(
            directory / TRACKING_FOLDER, rule, fix="Give --uri and --experiment."
        )
    uri = mlflow_store.resolve_tracking_uri(told, target.outputs)
    run_file = directory / TRACKING_FOLDER / RUN_FILE
    if scrub(uri) != target.uri and (HIDDEN in told or run_file.exists()):
        raise TrackingError(
            "--uri" if given else mlflow_store.URI_VARIABLE,
            f"must be {target.uri}, where the run of {directory} is tracked",
            found=scrub(uri),
            fix=f"If all has moved, change {run_file}." if run_file.exists() else "Give --uri.",
        )
    return uri


def _check_sent(sender: Sender, left: int, directory: Path) -> None:
    refused = directory / TRACKING_FOLDER / REFUSED_FILE
    if sender.run_error is not None:
        reason = summarize_error(sender.run_error)
        raise TrackingError(directory, f"{left} records still wait ({reason})")
    if left:
        raise UnreachableError(directory, f"{left} records still wait", fix="Try again later.")
    if sender.num_refused:
        raise TrackingError(
            directory, f"{sender.num_refused} records were refused and lie in {refused}"
        )
