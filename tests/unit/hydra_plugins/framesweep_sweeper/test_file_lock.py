import threading

import pytest
from filelock import FileLock, Timeout

from hydra_plugins.framesweep_sweeper import _file_lock
from hydra_plugins.framesweep_sweeper._file_lock import acquire_patiently


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(_file_lock, "PATIENCE_SECONDS", 0.01)
    return tmp_path / ".x.lock"


@pytest.fixture
def warned(monkeypatch):
    """An event that is set once a line says what is waited for, and the lines."""
    event, lines = threading.Event(), []

    def warn(text, *values):
        lines.append(text % values)
        event.set()

    monkeypatch.setattr(_file_lock.log, "warning", warn)
    return event, lines


def test_the_lock_is_had_by_one_at_a_time(path, warned):
    event, lines = warned
    held = threading.Event()

    def wait_for_it():
        with acquire_patiently(FileLock(path)):
            held.set()

    waiter = threading.Thread(target=wait_for_it, daemon=True)
    with acquire_patiently(FileLock(path)):
        waiter.start()
        assert event.wait(60)
        assert not held.is_set()
    assert held.wait(60)
    assert lines == [f"{path}: waiting for another process, which has locked this file"]


def test_a_lock_that_is_not_given_up_ends_the_waiting(path, monkeypatch):
    monkeypatch.setattr(_file_lock, "GIVE_UP_SECONDS", 0.02)
    with acquire_patiently(FileLock(path)), pytest.raises(Timeout):
        acquire_patiently(FileLock(path))


def test_a_quick_holder_is_not_mentioned(path, warned):
    for _ in range(2):
        with acquire_patiently(FileLock(path)):
            pass
    assert warned[1] == []
