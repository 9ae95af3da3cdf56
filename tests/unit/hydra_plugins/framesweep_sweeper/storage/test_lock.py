"""The lock of a database server, in a real PostgreSQL."""

import threading

import pytest

from hydra_plugins.framesweep_sweeper.storage._lock import StorageLock


@pytest.fixture(scope="module")
def url(postgres_server):
    return postgres_server.create("locks")


@pytest.mark.heavy
def test_one_holds_it_at_a_time_however_the_database_is_spelt(url, postgres_server):
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
def test_a_restart_takes_it_away_and_the_holder_can_know(url, postgres_server):
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
def test_other_databases_have_locks_of_their_own(url, postgres_server):
    with StorageLock(url).hold(), StorageLock(postgres_server.url()).hold() as is_held:
        assert is_held()
