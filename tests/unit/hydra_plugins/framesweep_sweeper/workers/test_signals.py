import os
import signal
import threading

import pytest

from hydra_plugins.framesweep_sweeper.workers._signals import (
    catch_stop_signals,
    get_requeue_handler,
    watch_requeue_signal,
)


@pytest.fixture
def handled():
    """The signals that a launcher's handler of SIGUSR2 has received."""
    received = []
    before = signal.signal(signal.SIGUSR2, lambda signum, frame: received.append(signum))
    yield received
    signal.signal(signal.SIGUSR2, before)


def test_the_first_signal_is_noted_and_a_second_one_is_urgent():
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    with catch_stop_signals() as stop:
        assert (stop.signum, stop.urgent) == (0, False)
        os.kill(os.getpid(), signal.SIGTERM)
        assert (stop.signum, stop.urgent) == (signal.SIGTERM, False)
        os.kill(os.getpid(), signal.SIGINT)
        assert (stop.signum, stop.urgent) == (signal.SIGTERM, True)
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_the_first_signal_is_urgent_while_the_sweep_is_ending_by_itself():
    with catch_stop_signals() as stop:
        stop.is_ending = True
        os.kill(os.getpid(), signal.SIGINT)
        assert (stop.signum, stop.urgent) == (signal.SIGINT, True)


def test_outside_of_the_main_thread_no_signal_is_caught():
    seen = []

    def run():
        with catch_stop_signals() as stop, watch_requeue_signal() as requeued:
            seen.append((stop.signum, requeued, get_requeue_handler()))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [(0, [], None)]


def test_the_requeue_signal_is_noted_and_passed_on_to_the_launcher(handled):
    handler = get_requeue_handler()
    with watch_requeue_signal() as requeued:
        os.kill(os.getpid(), signal.SIGUSR2)
        assert requeued == handled == [signal.SIGUSR2]
    assert get_requeue_handler() is handler


def test_without_a_handler_the_requeue_signal_is_left_alone():
    assert get_requeue_handler() is None
    with watch_requeue_signal() as requeued:
        assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
    assert requeued == []


def test_ctrl_break_of_windows_stops_a_sweep(monkeypatch):
    # SIGUSR1 stands for a signal that only Windows has.
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)
    with catch_stop_signals() as stop:
        signal.raise_signal(signal.SIGUSR1)
        assert stop.signum == signal.SIGUSR1


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_is_ignored_stays_so(signum):
    before = signal.signal(signum, signal.SIG_IGN)
    try:
        with catch_stop_signals() as stop:
            os.kill(os.getpid(), signum)
            assert stop.signum == 0
    finally:
        signal.signal(signum, before)
