import pytest

from framesweep.errors import FileInUseError
from framesweep.system.locks.file_lock import hold_file_lock
from hydra_plugins.framesweep_sweeper import _file_lock


def test_a_lock_that_is_not_given_up_is_an_error_of_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(_file_lock, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(_file_lock, "GIVE_UP_SECONDS", 0.02)
    path = tmp_path / ".x.lock"
    with hold_file_lock(path), pytest.raises(FileInUseError) as error, hold_file_lock(path):
        pass
    assert str(error.value) == (
        f"{path}: has been locked by another process for 180 s. Continue that process if it is "
        "suspended, or end it, and run the command again."
    )
    with hold_file_lock(path):  # which has been released
        pass
