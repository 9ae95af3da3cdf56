"""What training shows on the console."""

import io
import logging
import re
import sys

import pytest

from framesweep.system import console
from framesweep.system.console import (
    LINE_LENGTH,
    RunBar,
    format_count,
    format_loss,
    format_time,
    log_epoch,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_shows_the_steps_on_a_terminal_and_disappears(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    bar = RunBar(num_epochs=3)
    bar.step(1, 4, 10)
    bar.step(1, 10, 10)
    bar.close()
    assert "epoch 1/3" in terminal.getvalue()
    assert "10/10 steps" in terminal.getvalue()
    bar.close()  # a second time changes nothing


def test_no_bar_is_written_to_a_file(monkeypatch):
    monkeypatch.setattr(sys, "stderr", file := io.StringIO())
    bar = RunBar(num_epochs=3)
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
        "epoch 2/5  loss 1.2346 acc 0.5000  dev loss 2.0000 acc 0.2500  12.3k frames/s"
    )


@pytest.mark.parametrize("epochs", [9, 30, 100, 1000, 1_000_000])
@pytest.mark.parametrize("loss", [0.0, 9.99996, 99.99996, 9998.9, 1.2e30, -3.5e38])
@pytest.mark.parametrize("speed", [0.4, 999.6, 99_999, 999_999, 99.9e6, 1e12])
def test_no_line_of_an_epoch_wraps_at_80_columns(caplog, epochs, loss, speed):
    metrics = {f"{split}/loss": loss for split in ("train", "dev")}
    metrics |= {f"{split}/accuracy": 1.0 for split in ("train", "dev")}
    with caplog.at_level(logging.INFO):
        log_epoch(epochs, epochs, metrics | {"train/frames_per_second": speed})
    (line,) = caplog.messages
    assert len(line) <= LINE_LENGTH
    assert "dev loss" in line
    assert "acc 1.0000" in line


def test_the_bar_shows_loss_rate_phase_and_the_time_left_of_the_whole_run(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    clock = iter([0.0, *[60.0] * 20])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    bar = RunBar(num_epochs=3)
    bar.step(1, 0, 10)
    bar.values(2.3456, 0.00123)
    bar.step(1, 10, 10)
    bar.evaluate(1)
    bar.close()
    text = terminal.getvalue()
    assert "loss 2.3456 lr 1.2e-03" in text
    assert "evaluating" in text
    assert "2:00 left" in text  # two of three epochs, of which one took a minute


def test_the_widest_bar_stays_in_one_line_of_80_columns(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    bar = RunBar(num_epochs=1000)
    bar.values(1.2e30, 1e-10)
    bar.step(1000, 123_456, 234_567)
    bar.step(1000, 234_566, 234_567)
    bar.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\r", terminal.getvalue())
    lines = [part for part in re.split(r"[\r\n]", shown) if part.strip()]
    assert lines
    assert sum("epoch 1000/1000" in line for line in lines) >= 1
    cursor_up = terminal.getvalue().count("\x1b[1A")
    assert cursor_up <= 1  # a bar of several lines moves up for each


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "0:05"), (3599.6, "1:00:00"), (7384, "2:03:04"), (4e5, "4d 15h")]
)
def test_times_are_short(seconds, text):
    assert format_time(seconds) == text


def test_numbers_are_short():
    assert [format_count(c) for c in (0.4, 388, 12_346, 1e6, 2.5e9)] == [
        *("0", "388", "12.3k", "1M", "2.5G")
    ]
    assert [format_loss(v) for v in (1.23456, 12.3456, 1234.5, 1e30)] == [
        *("1.2346", "12.345", "1234.5", "1.0e+30")
    ]
