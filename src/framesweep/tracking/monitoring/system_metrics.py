"""Logs the load of the machine while a run trains: MLflow's own system metrics.

MLflow's `SystemMetricsMonitor` sends its metrics to the server itself, and stops when the
server does not answer. Here its samples are logged like all metrics, through the outbox.
MLflow's UI shows them in the tab "System metrics" because their names begin with `system/`.
"""

import contextlib
import importlib.util
import json
import logging
import pkgutil
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from framesweep.catalog.directories import TRACKING_FOLDER
from framesweep.config import TrackingConfig
from framesweep.errors import ConfigError
from framesweep.system.atomic_files import write_text
from framesweep.tracking.base import Tracker

log = logging.getLogger(__name__)

PREFIX = "system/"
INTERVAL_SECONDS = 10.0
"""Time between two samples, as in MLflow."""

STEP_FILE = "system_metrics.json"
"""File in a run's tracking folder with the number of samples so far: the next step."""


class Monitor(Protocol):
    """One of MLflow's monitors, for the CPU, the disk, the network or a GPU."""

    def collect_metrics(self) -> None:
        """Take a sample."""

    def aggregate_metrics(self) -> Mapping[str, float]:
        """Return the mean of the samples."""

    def clear_metrics(self) -> None:
        """Forget the samples."""


def require_psutil(config: TrackingConfig) -> None:
    """Raise ConfigError if system metrics are wanted and psutil is not installed."""
    if config.system_metrics and importlib.util.find_spec("psutil") is None:
        raise ConfigError(
            "tracking.system_metrics",
            "requires psutil, which is not installed",
            fix="pip install 'framesweep[system-metrics]'",
        )


@contextlib.contextmanager
def log_system_metrics(
    tracker: Tracker,
    config: TrackingConfig,
    directory: Path,
    create_monitors: "Callable[[], list[Monitor]] | None" = None,
    seconds: float = INTERVAL_SECONDS,
) -> Iterator[None]:
    """Log the load of the machine until the block ends, if the config asks for it.

    Nothing in the block waits: the samples are taken in a thread, which is not awaited at the
    end. An error in it is one warning.

    Args:
        tracker: of the run.
        directory: of the run; a resumed run continues to count the samples.
        create_monitors: None for those of MLflow.
        seconds: time between two samples.
    """
    if not config.system_metrics:
        yield
        return
    ended = threading.Event()
    file = directory / TRACKING_FOLDER / STEP_FILE
    arguments = (tracker, file, create_monitors or _create_monitors, seconds, ended)
    threading.Thread(target=_sample, args=arguments, name="system metrics", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _sample(
    tracker: Tracker,
    file: Path,
    create_monitors: Callable[[], list[Monitor]],
    seconds: float,
    ended: threading.Event,
) -> None:
    try:
        monitors = create_monitors()
        step = _read_step(file)
        # The first sample is taken immediately: a short run has one as well.
        while not ended.is_set():
            metrics = _measure(monitors)
            if ended.is_set():
                break
            tracker.log_epoch(step, metrics)
            step += 1
            file.parent.mkdir(parents=True, exist_ok=True)
            write_text(file, json.dumps({"next_step": step}))
            ended.wait(seconds)
    except Exception as error:
        log.warning("system metrics are not logged any more: %s", str(error).split("\n")[0])


def _measure(monitors: list[Monitor]) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for monitor in monitors:
        monitor.collect_metrics()
        metrics |= {PREFIX + name: value for name, value in monitor.aggregate_metrics().items()}
        monitor.clear_metrics()
    return metrics


def _read_step(file: Path) -> int:
    if not file.exists():
        return 0
    step: int = json.loads(file.read_text(encoding="utf-8"))["next_step"]
    return step


def _create_monitors() -> list[Any]:
    """Return MLflow's monitors; that of a GPU only where pynvml, or pyrsmi, can read one."""
    folder = "mlflow.system_metrics.metrics"
    always = ("cpu_monitor:CPUMonitor", "disk_monitor:DiskMonitor")
    names = (*always, "network_monitor:NetworkMonitor")
    monitors = [pkgutil.resolve_name(f"{folder}.{name}")() for name in names]
    for name in ("gpu_monitor:GPUMonitor", "rocm_monitor:ROCMMonitor"):
        # Each raises an error of its own kind if its driver or its package is missing.
        with contextlib.suppress(Exception):
            monitors.append(pkgutil.resolve_name(f"{folder}.{name}")())
            break
    return monitors
