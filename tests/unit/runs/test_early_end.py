"""What is tracked of a run that ends early."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from framesweep.errors import Interrupted, NonFiniteLossError, RankLostError
from framesweep.runs.early_end import log_early_end
from hydra_plugins.framesweep_sweeper import TrialPruned, job


class RecordingTracker:
    """Records the calls that change a run in the tracking store."""

    run_id: str | None = None

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def require_open(self, *, wait: bool) -> None:
        self.run_id = "abc" if wait else None

    def log_tags(self, tags: dict[str, str]) -> None:
        self.calls.append(tags)

    def finish(self, status: str) -> None:
        self.calls.append(status)

    def abandon(self) -> None:
        self.calls.append("abandoned")


def _end(error: Exception, *, owned: bool = True) -> list[Any]:
    tracker: Any = RecordingTracker()
    ownership: Any = SimpleNamespace(is_current=lambda: owned, directory=Path("run"))
    config: Any = SimpleNamespace(outputs="outputs", tracking=SimpleNamespace(uri=None))
    with pytest.raises(type(error)), log_early_end(tracker, ownership, config, "a"):
        raise error
    return tracker.calls


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (NonFiniteLossError("nan"), [{"failure": "non-finite loss"}]),
        (RuntimeError("CUDA out of memory. Tried"), [{"failure": "out of memory"}]),
        (MemoryError(), [{"failure": "out of memory"}]),
        (
            TrialPruned("bad"),
            [{"pruned": "true", "mlflow.runName": "[pruned] a"}, "KILLED"],
        ),
        (RankLostError("rank 1"), []),
        (ValueError("other"), []),
    ],
)
def test_the_reason_is_tracked(error: Exception, calls: list[Any]) -> None:
    assert _end(error) == calls


def test_a_trial_that_is_stopped_because_its_time_is_over_is_tracked_as_pruned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trial: Any = SimpleNamespace(is_out_of_time=True, still_owned=lambda: True)
    monkeypatch.setattr(job, "_current", trial)
    pruned = [{"pruned": "true", "mlflow.runName": "[pruned] a"}, "KILLED"]
    assert _end(Interrupted(2)) == pruned
    assert _end(ValueError("other")) == []


def test_a_run_that_was_taken_over_is_left_to_its_successor() -> None:
    assert _end(MemoryError(), owned=False) == ["abandoned"]


def test_the_command_that_resumes_a_stopped_run_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FRAMESWEEP_OUTPUTS", raising=False)
    with caplog.at_level("INFO"):
        _end(RankLostError("rank 1"))
    assert "resume=abc" in caplog.text
