"""Signals as requests to stop."""

import os
import runpy
import signal
import subprocess
import sys
import threading

import pytest

from framesweep.errors import Interrupted
from framesweep.system import signals
from framesweep.system.signals import (
    deferred_signals,
    ended_by_signals,
    stop_request,
    take_late_signal,
)


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


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_run_leaves_a_signal_alone_that_is_ignored(signum):
    before = signal.signal(signum, signal.SIG_IGN)
    try:
        with stop_request() as stop:
            os.kill(os.getpid(), signum)
            assert stop() == 0
    finally:
        signal.signal(signum, before)


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


def test_a_signal_that_stopped_nothing_is_returned_once():
    with stop_request():
        signal.raise_signal(signal.SIGTERM)
    assert take_late_signal() == signal.SIGTERM
    assert take_late_signal() == 0


def test_a_signal_that_stopped_a_run_is_not_late():
    def stop():
        with stop_request():
            signal.raise_signal(signal.SIGTERM)
            raise Interrupted(signal.SIGTERM)

    with pytest.raises(Interrupted):
        stop()
    assert take_late_signal() == 0


@pytest.fixture
def command_signals():
    """The signals of a command, which has just started."""
    before = {signum: signal.getsignal(signum) for signum in signals.SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)
    take_late_signal()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts_a_command_and_is_named(command_signals, signum):
    before = signal.getsignal(signum)
    with pytest.raises(KeyboardInterrupt) as raised, ended_by_signals():
        signal.raise_signal(signum)
    assert signal.getsignal(signum) == before
    assert isinstance(raised.value.__cause__, Interrupted)
    assert raised.value.__cause__.exit_code == 128 + signum


def test_a_deferred_signal_is_handled_at_the_end(command_signals):
    passed = []

    def interrupt():
        with deferred_signals():
            signal.raise_signal(signal.SIGINT)
            passed.append("the signal")

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert passed == ["the signal"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_is_ignored_stays_so(command_signals):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with ended_by_signals():
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("times", "output"), [(1, "the import continued\n"), (2, "")], ids=["once", "twice"]
)
def test_a_signal_in_an_import_interrupts_nothing_before_its_end(tmp_path, times, output):
    """The first is raised after the import, and the second ends the process in it."""
    (tmp_path / "interrupted.py").write_text(
        "import signal\n"
        "try:\n"
        f"    for _ in range({times}):\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "except BaseException:\n"
        "    print('caught')\n"
        "print('the import continued')\n"
    )
    command = (
        "import sys, threading\n"
        "from framesweep.system.signals import ended_by_signals, get_signal_code\n"
        "try:\n"
        "    with ended_by_signals():\n"
        "        import interrupted\n"
        "        threading.Event().wait(60)\n"
        "except KeyboardInterrupt as error:\n"
        "    sys.exit(get_signal_code(error))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (130, output, "")
