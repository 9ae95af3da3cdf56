"""Signals as requests to stop."""

import runpy
import signal
import threading

import pytest

from framesweep.system import signals
from framesweep.system.signals import stop_request


def test_a_signal_becomes_a_request_and_its_handler_is_restored():
    before = signal.getsignal(signal.SIGTERM)
    with stop_request() as request:
        assert request() == 0
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert request() == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_signal_of_a_scheduler_takes_precedence_and_its_handler_is_restored():
    calls = []

    def handle(signum, frame):
        calls.append(signum)

    before = signal.signal(signal.SIGUSR2, handle)
    try:
        with stop_request() as request:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGUSR2)
            assert request() == signal.SIGUSR2
            assert calls == []
        signal.raise_signal(signal.SIGUSR2)
        assert calls == [signal.SIGUSR2]
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_a_second_interrupt_raises_keyboard_interrupt():
    with stop_request() as request:
        signal.raise_signal(signal.SIGINT)
        assert request() == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_outside_the_main_thread_nothing_is_caught():
    before, requests = signal.getsignal(signal.SIGTERM), []

    def enter():
        with stop_request() as request:
            requests.append((request(), signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert requests == [(0, before)]


def test_ctrl_break_of_windows_becomes_a_request(monkeypatch):
    # SIGUSR1 stands for a signal that only Windows has.
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)
    names = runpy.run_path(signals.__file__)
    with names["stop_request"]() as request:
        signal.raise_signal(signal.SIGUSR1)
        assert request() == signal.SIGUSR1
