"""Makes the network of a sweep's winner the model of the sweep's parent run.

The trials log no models: copies of a thousand networks that nobody serves would cost space.
"""

from pathlib import Path

from framesweep.config import TrackingConfig
from framesweep.config.composition import directions
from framesweep.system.checksums import load_json
from framesweep.tracking import Tracker
from framesweep.tracking.models.description import MODEL_FOLDER, PREDICTOR_FILE, read_summary


def track_winner(tracker: Tracker, config: TrackingConfig, directory: Path | None) -> None:
    """Log the model of the run in `directory` to the parent, and register it on request.

    Both happen once, however often a sweep is continued: a model of the same files stays, and
    that of a new winner replaces it. A run without a model is passed over.
    """
    if directory is None or config.log_model is False:
        return
    folder = directory / MODEL_FOLDER
    try:
        predictor = load_json((folder / PREDICTOR_FILE).read_text(encoding="utf-8"))
        feature_dim = int(predictor["feature_dim"])
    except (OSError, ValueError, KeyError):
        return
    tracker.log_model(folder, feature_dim)
    if config.register is not None:
        tracker.register_model(config.register)


def find_grid_winner(directory: Path, objective: str) -> Path | None:
    """Return the directory of the best job of the grid in `directory`; None without any.

    Of equal jobs, the one with the smallest number wins.
    """
    values = {}
    for folder in sorted(directory.glob(f"*/{MODEL_FOLDER}"), key=_by_number):
        value = _read_objective(folder, objective)
        if value is not None:
            values[folder.parent] = value
    sign = 1 if directions(objective, [])[0] == "maximize" else -1
    return max(values, key=lambda job: sign * values[job], default=None)


def _by_number(folder: Path) -> tuple[int, str]:
    name = folder.parent.name
    return (int(name) if name.isdecimal() else 0, name)


def _read_objective(folder: Path, objective: str) -> float | None:
    """Return the objective in the best epoch of a job; None if it is NaN or was not written."""
    summary = read_summary(folder)
    values = {**summary.get("metrics", {}), "model/params": summary.get("parameters")}
    value = values.get(objective)
    return None if value is None or value != value else float(value)  # noqa: PLR0124 - NaN
