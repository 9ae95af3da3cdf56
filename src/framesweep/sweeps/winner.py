"""Makes the network of a sweep's winner the model of the sweep's parent run.

The trials log no models: copies of a thousand networks that nobody serves would cost space.
"""

from pathlib import Path

from framesweep.config import TrackingConfig
from framesweep.system.checksums import load_json
from framesweep.tracking import Tracker
from framesweep.tracking.models.description import MODEL_FOLDER, PREDICTOR_FILE


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
