"""The lock of a storage: on files here, and on a real PostgreSQL server."""

import subprocess
import sys
import threading

import pytest

from hydra_plugins.framesweep_sweeper import _file_lock
from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.storage._lock import StorageLock
from hydra_plugins.framesweep_sweeper.storage._retrying_storage import StudyLockedError

HOLD = """
import sys, time
from hydra_plugins.framesweep_sweeper.storage import _lock
from hydra_plugins.framesweep_sweeper.storage._lock import StorageLock
from hydra_plugins.framesweep_sweeper.storage._retrying_storage import StudyLockedError
with StorageLock(sys.argv[1]).hold():
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def file_url(tmp_path):
    return f"sqlite:///{tmp_path}/studies.db"


def test_a_file_is_locked_by_one_process_at_a_time_and_released_by_kill_9(file_url, tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, file_url], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    held = threading.Event()

    def wait_for_it():
        with StorageLock(file_url).hold() as is_held:
            assert is_held()
            held.set()

    waiter = threading.Thread(target=wait_for_it)
    waiter.start()
    assert not held.wait(0.3)
    holder.kill()
    holder.communicate()
    waiter.join(30)
    assert held.is_set()


def test_a_file_that_stays_locked_is_given_up(file_url, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(_file_lock, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(_file_lock, "GIVE_UP_SECONDS", 0.02)
    with (
        StorageLock(file_url).hold(),
        pytest.raises(StudyLockedError),
        StorageLock(file_url).hold(),
    ):
        pass
    path = tmp_path / "studies.db.claims"
    line = f"{path}: waiting for another process, which has locked this file"
    assert caplog.messages == [line]


def test_a_storage_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SweepError, match=r"must be in a folder that .*; found .*/file$"):
        StorageLock(f"{tmp_path}/file/study.journal")


def test_a_storage_in_a_folder_that_cannot_be_written_is_refused_at_once():
    # Not even root can create a file there.
    with pytest.raises(SweepError, match=r"must be in a folder that can be .*; found /proc$"):
        StorageLock("/proc/study.journal")


def test_the_lock_files_name_stays_that_of_version_0_1(file_url, tmp_path):
    with StorageLock(file_url).hold(), StorageLock(f"{tmp_path}/s.journal").hold():
        names = {path.name for path in tmp_path.iterdir()}
    assert {"studies.db.claims", "s.journal.claims"} <= names


@pytest.fixture(scope="module")
def url(postgres_server):
    return postgres_server.create("locks")


@pytest.mark.heavy
def test_a_server_is_locked_by_one_process_however_its_url_is_spelled(url, postgres_server):
    first, second = StorageLock(url), StorageLock(url.replace("127.0.0.1", "localhost"))
    asked, held = threading.Event(), threading.Event()

    def wait_for_it():
        asked.set()
        with second.hold():
            held.set()

    with first.hold() as is_held:
        waiter = threading.Thread(target=wait_for_it)
        waiter.start()
        asked.wait()
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while not postgres_server.query(waiting, "locks"):
            assert waiter.is_alive()
        assert is_held()
        assert not held.is_set()
    waiter.join(30)
    assert held.is_set()


@pytest.mark.heavy
def test_a_restart_of_the_server_releases_the_lock_and_the_holder_notices(url, postgres_server):
    lock = StorageLock(url)
    with lock.hold() as is_held:
        assert is_held()
        postgres_server.stop()
        postgres_server.start()
        assert not is_held()
        with StorageLock(url).hold() as is_held_by_another:
            assert is_held_by_another()
    with lock.hold() as is_held:
        assert is_held()


@pytest.mark.heavy
def test_each_database_of_a_server_has_its_own_lock(url, postgres_server):
    with StorageLock(url).hold(), StorageLock(postgres_server.url()).hold() as is_held:
        assert is_held()
