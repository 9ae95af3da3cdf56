"""Mirrors receive what MLflow receives, without credentials, and never instead of it."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from framesweep.config import TrackingConfig
from framesweep.errors import Interrupted
from framesweep.tracking.base import Status, Tracker
from framesweep.tracking.mirrors import mirroring_tracker, open
from framesweep.tracking.mirrors.base import MirroredRun
from framesweep.tracking.mirrors.mirroring_tracker import MirroringTracker
from framesweep.tracking.mirrors.open import open_mirrors

SECRET = "postgresql://me:hunter2@host/db"


class Inner(Tracker):
    """Records its calls."""

    run_id = "mlflow-id"
    is_current = True

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in {*vars(Tracker)} - {"run_id", "is_current"} and not name.startswith("_"):
            return lambda *args, **kwargs: self.calls.append(name)
        return super().__getattribute__(name)


class FakeMirror:
    """Records what it is sent."""

    def __init__(self, name: str = "fake", run: MirroredRun | None = None) -> None:
        self.name, self.run = name, run
        self.records: list[dict[str, Any]] = []
        self.ends: list[Any] = []

    def send(self, record: dict[str, Any]) -> None:
        self.records.append(record)

    def close(self, status: Status) -> None:
        self.ends.append(status)

    def join(self, seconds: float) -> None:
        assert 0 <= seconds <= mirroring_tracker.JOIN_SECONDS
        self.ends.append("joined")

    def kill(self) -> None:
        self.ends.append("killed")


def tracker_with(inner: Tracker) -> tuple[Tracker, FakeMirror]:
    mirror: Any = FakeMirror()
    return MirroringTracker(inner, [mirror]), mirror


def test_every_call_reaches_the_tracker() -> None:
    inner = Inner()
    tracker, _ = tracker_with(inner)
    names = [n for n, _ in inspect.getmembers(Tracker, inspect.isfunction) if n[0] != "_"]
    calls: dict[str, Any] = {
        "require_open": lambda: tracker.require_open(wait=True),
        "log_params": lambda: tracker.log_params({}),
        "log_tags": lambda: tracker.log_tags({}),
        "log_epoch": lambda: tracker.log_epoch(1, {}),
        "log_dataset": lambda: tracker.log_dataset(
            "n", "f", root=None, feature_dim=1, splits={}
        ),
        "log_artifact": lambda: tracker.log_artifact(Path("x")),
        "log_model": lambda: tracker.log_model(Path("x"), 1),
        "register_model": lambda: tracker.register_model("m"),
        "finish": tracker.finish,
        "abandon": tracker.abandon,
    }
    assert sorted(calls) == sorted(names), "MirroringTracker must pass on every method"
    for call in calls.values():
        call()
    assert inner.calls == list(calls)
    assert tracker.run_id == "mlflow-id"


def test_mirrors_get_numbers_as_numbers_and_no_credentials() -> None:
    tracker, mirror = tracker_with(Inner())
    tracker.log_params({"optim.lr": 1e-3, "model.widths": [8, 4], "uri": SECRET, "none": None})
    tracker.log_tags({"uri": SECRET})
    tracker.log_epoch(2, {"dev/loss": 1.5})
    params, tags, metrics = mirror.records
    clean = "postgresql://***@host/db"
    expected = {"optim.lr": 1e-3, "model.widths": [8, 4], "uri": clean, "none": None}
    assert params == {"kind": "params", "params": expected}
    assert tags == {"kind": "tags", "tags": {"uri": clean}}
    assert (metrics["step"], metrics["metrics"]) == (2, {"dev/loss": 1.5})


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "FINISHED"), (ValueError(), "FAILED"), (Interrupted(2), "KILLED")],
)
def test_mirrors_learn_how_the_run_ended(error: Exception | None, status: str) -> None:
    tracker, mirror = tracker_with(Inner())
    try:
        with tracker:
            if error is not None:
                raise error
    except (ValueError, Interrupted):
        pass
    tracker.finish()
    assert mirror.ends == [status, "joined"]


def test_a_run_that_belongs_to_another_process_is_not_mirrored_any_more() -> None:
    inner = Inner()
    tracker, mirror = tracker_with(inner)
    inner.is_current = False
    tracker.log_epoch(1, {"dev/loss": 1.0})
    tracker.finish()
    assert mirror.records == []
    assert mirror.ends == ["killed"]
    assert inner.calls == ["log_epoch", "abandon"]


@pytest.mark.parametrize(
    ("tags", "parent", "group", "role"),
    [
        ({}, None, None, "run"),
        ({"study": "s", "trial": "3"}, "parent-id", "s", "trial"),
        ({"study": "s", "sweep": "search"}, None, "s", "sweep"),
        ({}, "parent-id", "parent-id", "trial"),
        ({"sweep": "grid"}, None, "mlflow-id", "sweep"),
    ],
)
def test_the_runs_of_a_sweep_and_their_parent_share_a_group(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tags: dict[str, str],
    parent: str | None,
    group: str | None,
    role: str,
) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(
        open,
        "MirrorProcess",
        lambda name, run: opened.append(FakeMirror(name, run)) or opened[-1],
    )
    config = TrackingConfig(also=["wandb", "tensorboard"], run_name="n")
    open_mirrors(Inner(), config, tmp_path, tmp_path / "tracking", parent, tags)
    assert [mirror.name for mirror in opened] == ["wandb", "tensorboard"]
    assert (opened[0].run.group, opened[0].run.role) == (group, role)
    assert opened[0].run.name == "n"
    sent = [record["tags"] for record in opened[0].records]
    assert sent == ([tags] if tags else [])


def test_without_mirrors_the_tracker_stays_as_it_is(tmp_path: Path) -> None:
    inner = Inner()
    assert open_mirrors(inner, TrackingConfig(), tmp_path, tmp_path, None, {}) is inner
