"""The load of the machine is logged like other metrics, and never instead of training."""

import importlib.util
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from framesweep.config import TrackingConfig
from framesweep.errors import ConfigError
from framesweep.tracking.base import Tracker
from framesweep.tracking.monitoring.system_metrics import (
    _create_monitors,
    log_system_metrics,
    require_psutil,
)

WANTED = TrackingConfig(system_metrics=True)
LONG = 60.0


class Recorder(Tracker):
    """Records metrics, and announces when it has a number of them."""

    def __init__(self, wanted: int = 2) -> None:
        self.logged: list[tuple[int, Mapping[str, float]]] = []
        self.has_all = threading.Event()
        self._wanted = wanted

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self.logged.append((epoch, metrics))
        if len(self.logged) == self._wanted:
            self.has_all.set()


class Monitor:
    """Measures 1, 2, 3, ..., and forgets nothing unless it is asked to."""

    def __init__(self) -> None:
        self.count, self.samples = 0, []  # type: ignore[var-annotated]

    def collect_metrics(self) -> None:
        self.count += 1
        self.samples.append(self.count)

    def aggregate_metrics(self) -> dict[str, float]:
        return {"cpu": sum(self.samples) / len(self.samples)}

    def clear_metrics(self) -> None:
        self.samples.clear()


def test_samples_are_logged_while_the_block_runs(tmp_path: Path) -> None:
    tracker = Recorder()
    with log_system_metrics(tracker, WANTED, tmp_path, lambda: [Monitor()], 0.001):
        assert tracker.has_all.wait(LONG)
    assert tracker.logged[:2] == [(0, {"system/cpu": 1.0}), (1, {"system/cpu": 2.0})]


def test_a_resumed_run_continues_to_count(tmp_path: Path) -> None:
    steps: list[int] = []
    for _ in range(2):
        tracker = Recorder()
        with log_system_metrics(tracker, WANTED, tmp_path, lambda: [Monitor()], 0.001):
            assert tracker.has_all.wait(LONG)
        for thread in threading.enumerate():
            if thread.name == "system metrics":
                thread.join(LONG)
        steps += [step for step, _ in tracker.logged]
    assert steps == list(range(len(steps)))


def test_an_error_is_one_warning_and_training_continues(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failed = threading.Event()

    def fail() -> list[Monitor]:
        failed.set()
        raise RuntimeError("no such sensor\nsecond line")

    tracker = Recorder()
    with log_system_metrics(tracker, WANTED, tmp_path, fail):  # type: ignore[arg-type]
        assert failed.wait(LONG)
        for thread in threading.enumerate():
            if thread.name == "system metrics":
                thread.join(LONG)
    assert caplog.messages == ["system metrics are not logged any more: no such sensor"]
    assert tracker.logged == []


def test_nothing_is_measured_unless_it_is_asked_for(tmp_path: Path) -> None:
    def refuse() -> list[Monitor]:
        raise AssertionError

    with log_system_metrics(Recorder(), TrackingConfig(), tmp_path, refuse):  # type: ignore[arg-type]
        assert not [t for t in threading.enumerate() if t.name == "system metrics"]


def test_a_missing_psutil_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    require_psutil(TrackingConfig())
    with pytest.raises(ConfigError, match=r"requires psutil.*pip install 'framesweep\[system-"):
        require_psutil(WANTED)


@pytest.mark.heavy
def test_mlflows_monitors_measure_this_machine() -> None:
    pytest.importorskip("psutil")
    names: set[str] = set()
    for monitor in _create_monitors():
        monitor.collect_metrics()
        names |= monitor.aggregate_metrics().keys()
    assert {"cpu_utilization_percentage", "system_memory_usage_megabytes"} <= names
