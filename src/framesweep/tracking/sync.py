"""Sends what could not be sent while its run was alive."""

from pathlib import Path

from framesweep.config import TrackingConfig
from framesweep.tracking import store
from framesweep.tracking.courier import Courier
from framesweep.tracking.delivery import Delivery
from framesweep.tracking.outbox import Outbox
from framesweep.tracking.tracker import DIRECTORIES, FOLDER


def waiting(outputs: Path) -> list[Path]:
    """Directories of the runs in `outputs` with records that have not arrived."""
    boxes = [box for d in DIRECTORIES for box in outputs.glob(f"{d}/{FOLDER}/outbox.jsonl")]
    return sorted(box.parents[1] for box in boxes if box.stat().st_size > 0)


def sync(config: TrackingConfig, outputs: Path, directory: Path, seconds: float) -> int:
    """Sends the records of the run in `directory`; gives how many still wait after `seconds`.

    The run must not be running: it sends its records itself.

    Raises:
        ConfigError: MLflow keeps no runs behind `tracking.uri`.
    """
    uri = store.tracking_uri(config.uri, outputs)
    store.import_mlflow()
    folder = directory / FOLDER
    outbox = Outbox(folder / "outbox.jsonl")
    courier = Courier(outbox, Delivery(uri, config.experiment, outputs, folder))
    return courier.close(seconds)
