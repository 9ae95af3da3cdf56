"""The progress of long loops."""

import io
import itertools
import logging
import sys

import pytest

from framesweep.system import progress_bars
from framesweep.system.progress_bars import track


@pytest.mark.parametrize(
    ("total", "expected"), [(3, ["read: 1/3", "read: 2/3", "read: 3/3"]), (None, ["read: 1"])]
)
def test_a_log_gets_lines_with_the_items_done(monkeypatch, caplog, total, expected):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(progress_bars, "LINE_SECONDS", 0.0)
    with caplog.at_level(logging.INFO):
        assert list(track("abc", "read", total)) == ["a", "b", "c"]
    assert caplog.messages[: len(expected)] == expected


def test_hours_of_work_are_some_dozens_of_lines(monkeypatch, caplog):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    seconds = itertools.count()
    monkeypatch.setattr(progress_bars.time, "monotonic", lambda: float(next(seconds)))
    with caplog.at_level(logging.INFO):
        list(track(range(8 * 3600), "read", None))
    assert 20 < len(caplog.messages) < 150


def test_a_quick_loop_logs_nothing(monkeypatch, caplog):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with caplog.at_level(logging.INFO):
        assert list(track("abc", "read", 3)) == ["a", "b", "c"]
    assert caplog.messages == []


def test_a_terminal_gets_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert list(track("abc", "read", 3)) == ["a", "b", "c"]
    assert "read" in terminal.getvalue()
