import io
import sys

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from hydra_plugins.framesweep_sweeper.sweep import _progress
from hydra_plugins.framesweep_sweeper.sweep._progress import (
    LiveProgress,
    PlainProgress,
    RunningTrial,
    describe_end,
    format_duration,
    open_progress_display,
)
from hydra_plugins.framesweep_sweeper.sweep._results import StudySummary


def make_summary(complete):
    return StudySummary(4, complete, pruned=0, failed=0, best="", seconds_left=None)


@pytest.fixture
def logged(caplog):
    """Return a function that returns the lines that the display has logged so far.

    Lines of other loggers are left out: threads of earlier tests may still log.
    """
    caplog.set_level("INFO", _progress.__name__)
    return lambda: [r.getMessage() for r in caplog.records if r.name == _progress.__name__]


def test_a_plain_display_logs_the_study_whenever_its_counts_change(logged):
    progress = PlainProgress()
    for complete in (0, 3, 3, 4):
        progress.update(make_summary(complete), [None])
    assert logged() == [
        "study: 3/4 done, 0 pruned, 0 failed, best -",
        "study: 4/4 done, 0 pruned, 0 failed, best -",
    ]


def test_a_plain_display_logs_one_line_per_trial(logged):
    progress = PlainProgress()
    for number in range(2):
        progress.log_start(f"trial {number} started: x={number}")
        progress.update(make_summary(number), [None])
        progress.log_end(f"trial {number} complete: 0.5 in 0:01", f"x={number}")
        progress.update(make_summary(number + 1), [None])
        progress.update(make_summary(number + 1), [None])
    assert logged() == [
        "trial 0 complete: 0.5 in 0:01: x=0  [study: 1/4 done, 0 pruned, 0 failed, best -]",
        "trial 1 complete: 0.5 in 0:01: x=1  [study: 2/4 done, 0 pruned, 0 failed, best -]",
    ]


def test_a_plain_display_logs_the_end_of_every_trial_also_without_another_update(logged):
    progress = PlainProgress()
    progress.log_end("trial 0 complete", "")
    progress.log_end("trial 1 complete", "x=1")
    progress.log("stopping")
    progress.log_end("trial 2 complete", "x=2")
    progress.close()
    assert logged() == [
        "trial 0 complete",
        "trial 1 complete: x=1",
        "stopping",
        "trial 2 complete: x=2",
    ]


def test_a_live_display_has_a_line_per_worker_and_one_for_the_study(monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    progress = LiveProgress()
    progress.log_start("trial 0 [started]")
    progress.update(make_summary(1), [RunningTrial(0, 2, "x=1"), None])
    progress.close()
    shown = terminal.getvalue()
    assert "trial 0 [started]" in shown
    live = progress._live.renderable.plain.splitlines()
    assert live[0].startswith("worker 1: trial 0 (attempt 2)  0:0")
    assert live[0].endswith("x=1")
    assert live[1:] == ["worker 2: idle", "study: 1/4 done, 0 pruned, 0 failed, best -"]


def test_the_display_is_live_only_in_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(open_progress_display(), PlainProgress)


def make_trial(state, values=None, system=None, **attrs):
    return create_trial(
        state=state,
        values=values,
        params={"x": 0.5},
        distributions={"x": FloatDistribution(0, 1)},
        user_attrs=attrs,
        system_attrs=system or {},
        intermediate_values={1: 0.5} if state is TrialState.PRUNED else {},
    )


WHY = {"failure_reason": "nan_loss", "failure_message": "no"}


@pytest.mark.parametrize(
    ("trial", "line"),
    [
        (make_trial(TrialState.COMPLETE, [0.25]), "trial 0 complete: 0.25 in 1:01"),
        (make_trial(TrialState.PRUNED), "trial 0 pruned at step 1 in 1:01"),
        (make_trial(TrialState.FAIL, **WHY), "trial 0 failed: nan_loss: no"),
        (
            make_trial(
                TrialState.WAITING, system={"framesweep:failures": [["nan_loss", "no"]]}, **WHY
            ),
            "trial 0 failed: nan_loss: no; attempt 2 follows",
        ),
        (make_trial(TrialState.WAITING), "trial 0 interrupted; it can be resumed"),
    ],
)
def test_the_end_of_a_trial_is_described_by_its_state(trial, line):
    trial.number = 0
    assert describe_end(trial, 61) == line


def test_a_running_trial_shows_the_value_it_reported_last():
    running = RunningTrial(0, 1, "x=1")
    running.update(None)
    assert running.last == ""
    running.update(make_trial(TrialState.PRUNED))
    assert running.last == "step 1: 0.5"


def test_durations_have_hours_only_where_needed():
    assert format_duration(61) == "1:01"
    assert format_duration(3661) == "1:01:01"


def test_a_command_that_a_notebook_starts_writes_lines(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    assert isinstance(open_progress_display(), PlainProgress)
    monkeypatch.delenv("JPY_PARENT_PID")
    display = open_progress_display()
    assert isinstance(display, LiveProgress)
    display.close()
