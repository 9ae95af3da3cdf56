import threading

import pytest

from framesweep.errors import FileInUseError
from framesweep.system.locks import file_lock
from framesweep.system.locks.file_lock import hold_file_lock


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(file_lock, "PATIENCE_SECONDS", 0.01)
    return tmp_path / ".x.lock"


def test_the_lock_is_had_by_one_at_a_time(path, caplog):
    held = threading.Event()

    def wait_for_it():
        with hold_file_lock(path):
            held.set()

    waiter = threading.Thread(target=wait_for_it)
    with hold_file_lock(path):
        waiter.start()
        assert not held.wait(0.2)
    waiter.join(30)
    assert held.is_set()
    line = f"{path}: waiting for another process, which has locked this file"
    assert caplog.messages == [line]


def test_a_lock_that_is_not_given_up_is_an_error_of_one_line(path, monkeypatch):
    monkeypatch.setattr(file_lock, "GIVE_UP_SECONDS", 0.02)
    with (
        hold_file_lock(path),
        pytest.raises(FileInUseError) as error,
        hold_file_lock(path),
    ):
        pass
    assert str(error.value).startswith(f"{path}: has been locked by another process for ")
    assert "\n" not in str(error.value)


def test_a_quick_holder_is_not_mentioned(path, caplog):
    for _ in range(2):
        with hold_file_lock(path):
            pass
    assert not caplog.messages
