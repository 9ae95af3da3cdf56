"""What a run forwards of its epochs."""

from types import SimpleNamespace
from typing import Any

import pytest

from framesweep.runs import callback
from framesweep.runs.callback import RunCallback
from framesweep.system.signals import StopRequest
from framesweep.tracking import Tracker
from hydra_plugins.framesweep_sweeper import TrialPruned


@pytest.fixture
def pruned_run(monkeypatch):
    """The callback of a trial that is pruned at each epoch, and the values that it reports."""
    reported = {}

    def report(value, step):
        reported[step] = value
        raise TrialPruned

    monkeypatch.setattr(callback, "report", report)
    monkeypatch.setattr(callback, "log_epoch", lambda *_: None)
    plan = SimpleNamespace(objective="dev/accuracy", epochs=9, maximize=True)
    experiment: Any = SimpleNamespace(plan=plan, config=SimpleNamespace(further_objectives=[]))
    return RunCallback(experiment, Tracker(), StopRequest()), reported


def test_a_trial_is_pruned_before_its_last_epoch_only(pruned_run):
    run, reported = pruned_run
    with pytest.raises(TrialPruned):
        run.on_epoch(1, {"dev/accuracy": 0.5}, is_last=False)
    run.on_epoch(2, {"dev/accuracy": 0.6}, is_last=True)
    assert reported == {1: 0.5, 2: 0.6}
