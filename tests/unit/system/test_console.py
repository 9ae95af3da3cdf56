"""What training shows on the console."""

import io
import logging
import sys

import pytest

from framesweep.system.console import EpochBar, log_epoch


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_shows_the_steps_on_a_terminal_and_disappears(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    bar = EpochBar(num_epochs=3)
    bar.step(1, 4, 10)
    bar.step(1, 10, 10)
    bar.close()
    assert "epoch 1/3" in terminal.getvalue()
    assert "10/10 steps" in terminal.getvalue()
    bar.close()  # a second time changes nothing


def test_no_bar_is_written_to_a_file(monkeypatch):
    monkeypatch.setattr(sys, "stderr", file := io.StringIO())
    bar = EpochBar(num_epochs=3)
    bar.step(1, 10, 10)
    bar.close()
    assert file.getvalue() == ""


def test_an_epoch_is_logged_in_one_line(caplog: pytest.LogCaptureFixture):
    metrics = {
        "train/loss": 1.23456,
        "train/accuracy": 0.5,
        "dev/loss": 2.0,
        "dev/accuracy": 0.25,
        "train/frames_per_second": 12345.6,
    }
    with caplog.at_level(logging.INFO):
        log_epoch(2, 5, metrics)
    (line,) = caplog.messages
    assert line == (
        "epoch 2/5  train loss 1.2346 accuracy 0.5000  dev loss 2.0000 accuracy 0.2500  "
        "12,346 frames/s"
    )
