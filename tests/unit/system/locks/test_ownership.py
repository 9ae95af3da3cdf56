"""A directory has one owner, and what an earlier owner still does changes nothing in it."""

import os
import threading
import time

import pytest

from framesweep.errors import DirectoryInUseError, OwnershipLostError
from framesweep.system.atomic_files import write_text
from framesweep.system.locks import owner as owner_module
from framesweep.system.locks import ownership as module
from framesweep.system.locks.owner import OWNER_FILE, Owner
from framesweep.system.locks.ownership import Ownership, fence, own
from owners import write_owner


@pytest.fixture
def folder(tmp_path):
    return tmp_path.resolve() / "run"


def age(folder, seconds):
    now = time.time()
    os.utime(folder / OWNER_FILE, (now - seconds, now - seconds))


def test_a_directory_is_free_again_after_its_owner_has_released_it(folder):
    for _ in range(2):
        with own(folder) as ownership:
            assert ownership.is_current()
            assert Owner.read(folder) is not None
        assert Owner.read(folder) is None


def test_a_second_owner_is_refused_in_one_line_that_names_the_first(folder):
    write_owner(folder)
    pattern = rf"^{folder}: is being trained by {os.getpid()} on \S+ since \d{{4}}-.{{14}}$"
    with pytest.raises(DirectoryInUseError, match=pattern) as caught, own(folder):
        pass
    assert caught.value.exit_code == 2
    assert Owner.read(folder).token == "other"


def test_of_many_that_start_together_one_becomes_the_owner(folder):
    folder.mkdir()
    results = []

    def try_it():
        try:
            results.append(Ownership(folder, 0))
        except DirectoryInUseError:
            results.append(None)

    threads = [threading.Thread(target=try_it) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = filter(None, results)
    assert len(results) == 16
    winner.release()


def test_within_a_process_a_directory_is_owned_once(folder):
    with own(folder) as outer:
        with own(folder) as inner:
            assert inner is outer
        assert outer.is_current()


def test_a_process_of_this_machine_that_has_ended_is_replaced(folder):
    write_owner(folder, started="1")
    with own(folder) as ownership:
        assert ownership.is_current()


def test_a_process_of_this_machine_that_lives_is_never_stale(folder):
    write_owner(folder)
    age(folder, 10 * owner_module.STALE_SECONDS)
    with pytest.raises(DirectoryInUseError), own(folder):
        pass


def test_an_owner_on_another_machine_is_replaced_after_it_has_shown_no_sign_of_life(folder):
    write_owner(folder, place="another boot", host="elsewhere")
    age(folder, owner_module.STALE_SECONDS - 30)
    with pytest.raises(DirectoryInUseError, match="on elsewhere since"), own(folder):
        pass
    age(folder, owner_module.STALE_SECONDS + 30)
    with own(folder) as ownership:
        assert ownership.is_current()


def test_an_owner_shows_that_it_lives(folder, monkeypatch):
    monkeypatch.setattr(module, "TOUCH_SECONDS", 0.01)
    with own(folder):
        age(folder, 1000)
        end = time.monotonic() + 120
        while owner_module._seconds_since_touch(folder) > 100:
            assert time.monotonic() < end
            time.sleep(0.01)


@pytest.mark.parametrize(
    ("earlier", "later", "is_free"), [(1, 2, True), (2, 2, True), (2, 1, False)]
)
def test_the_later_claim_to_a_trial_owns_its_directory(folder, earlier, later, is_free):
    write_owner(folder, claim=earlier)
    if is_free:
        with own(folder, later) as ownership:
            assert ownership.is_current()
        return
    with pytest.raises(DirectoryInUseError), own(folder, later):
        pass


def test_the_later_claim_owns_a_directory_whatever_machine_the_earlier_one_is_on(folder):
    """The earlier job may be suspended on a node of a cluster, and give signs of life again."""
    write_owner(folder, claim=1, host="node7", place="elsewhere")
    with pytest.raises(DirectoryInUseError), own(folder, 0):
        pass
    with own(folder, 2) as ownership:
        ownership.require_current()


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"token": 1}'])
def test_a_damaged_owner_file_names_nobody(folder, content):
    folder.mkdir()
    (folder / OWNER_FILE).write_text(content)
    with own(folder) as ownership:
        assert ownership.is_current()


def test_a_process_that_was_taken_over_replaces_no_file(folder):
    with own(folder) as ownership:
        write_text(folder / "checkpoints" / "last", "mine")
        write_owner(folder, claim=1)
        write_text(folder.parent / "elsewhere", "free")
        with pytest.raises(OwnershipLostError, match=r"was taken over by \d+ on .*; stopped"):
            write_text(folder / "checkpoints" / "last", "late")
        assert not ownership.is_current()
    assert (folder / "checkpoints" / "last").read_text() == "mine"
    assert [p.name for p in (folder / "checkpoints").iterdir()] == ["last"]
    assert Owner.read(folder).token == "other"


def test_a_process_whose_successor_has_finished_replaces_no_file_either(folder):
    with own(folder):
        (folder / OWNER_FILE).unlink()
        with pytest.raises(OwnershipLostError, match="was removed, or taken over; stopped"):
            write_text(folder / "last", "late")
    assert not (folder / "last").exists()


def test_a_process_that_was_taken_over_does_not_own_the_directory_again(folder):
    """Not even once its successor has finished: what follows is still part of its old job."""
    with own(folder, 1) as ownership:
        (folder / OWNER_FILE).unlink()
        with (
            pytest.raises(OwnershipLostError, match="was removed, or taken over; stopped"),
            own(folder, 1),
        ):
            pass
        assert Owner.read(folder) is None
        assert not ownership.is_current()
    with own(folder, 2) as later:  # the next job of the same process
        assert later.is_current()


def test_the_owner_cannot_change_while_a_file_is_being_replaced(folder, monkeypatch):
    monkeypatch.setattr(module, "GUARD_SECONDS", 0.1)
    refused = []

    def take():
        try:
            Ownership(folder, 2)
        except DirectoryInUseError as error:
            refused.append(str(error))

    with own(folder, 1) as ownership:
        with fence(folder / "last"):
            thread = threading.Thread(target=take)
            thread.start()
            thread.join()
            assert ownership.is_current()
        (line,) = refused
        assert "is being written by" in line
        assert "Continue or end that process." in line
        take()
        assert not ownership.is_current()


def test_a_new_directory_in_which_nothing_was_written_disappears(tmp_path):
    with own(tmp_path / "run"):
        assert (tmp_path / "run" / OWNER_FILE).exists()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_was_there_or_has_contents_stays(tmp_path):
    (tmp_path / "empty").mkdir()
    with own(tmp_path / "empty"), own(tmp_path / "used"):
        (tmp_path / "used" / "model").touch()
    assert list((tmp_path / "empty").iterdir()) == []
    assert (tmp_path / "used" / "model").exists()
