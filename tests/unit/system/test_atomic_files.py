"""Files and folders that appear complete or not at all."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from framesweep.system.atomic_files import (
    atomic_file,
    atomic_folder,
    find_descriptor,
    write_csv,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_only_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "file.txt"
    write_text(path, "before")
    with atomic_file(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert names(path.parent) == ["file.txt"]


def test_a_failed_write_keeps_the_previous_file(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "before")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half \ud800")
    assert path.read_text() == "before"
    assert names(tmp_path) == ["file.txt"]


def test_text_is_written_as_utf_8(tmp_path):
    write_text(tmp_path / "file.txt", "æ ɑ")
    assert (tmp_path / "file.txt").read_bytes() == "æ ɑ".encode()


def test_a_table_is_written_as_utf_8(tmp_path):
    path = tmp_path / "table.csv"
    write_csv(path, [["phone", "n"], ["ö, ü", 2]])
    assert path.read_bytes().splitlines() == [b"phone,n", '"ö, ü",2'.encode()]


def test_an_error_of_the_system_names_the_file(tmp_path):
    path = tmp_path / "file.txt"

    def fail():
        with atomic_file(path):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as raised:
        fail()
    assert raised.value.filename == str(path)


def test_a_folder_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "cache" / "store"
    with atomic_folder(path) as temporary:
        (temporary / "rows.npy").write_text("rows")
        assert not path.exists()
    assert names(path) == ["rows.npy"]
    assert names(path.parent) == ["store"]


def test_a_failed_folder_leaves_nothing(tmp_path):
    def fail():
        with atomic_folder(tmp_path / "store") as temporary:
            (temporary / "rows.npy").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names(tmp_path) == []


def test_of_two_writers_of_a_folder_the_first_to_finish_wins(tmp_path):
    path, entered, finished = tmp_path / "store", threading.Event(), threading.Event()

    def write_slowly():
        with atomic_folder(path) as temporary:
            (temporary / "slow").touch()
            entered.set()
            finished.wait(timeout=30)

    writer = threading.Thread(target=write_slowly)
    writer.start()
    entered.wait(timeout=30)
    with atomic_folder(path) as temporary:
        (temporary / "fast").touch()
    finished.set()
    writer.join()
    assert names(tmp_path) == ["store"]
    assert names(path) == ["fast"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_only_leftovers_of_processes_that_ended_on_this_host_are_deleted(tmp_path, kind):
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    host = socket.gethostname()
    kept = [f".store.{host}.{os.getpid()}.x.tmp", f".store.elsewhere.{ended}.x.tmp"]
    gone = [f".store.{host}.{ended}.x.tmp", f".store.{host}.{ended}.x.tmp-journal"]
    for name in (*kept, *gone):
        getattr(tmp_path / name, {"folder": "mkdir", "file": "touch"}[kind])()
    if kind == "folder":
        with atomic_folder(tmp_path / "store"):
            pass
    else:
        write_text(tmp_path / "store", "new")
    assert names(tmp_path) == sorted([*kept, "store"])


def test_a_leftover_that_cannot_be_deleted_is_no_error(tmp_path, monkeypatch):
    leftover = tmp_path / f".file.txt.{socket.gethostname()}.123456789.x.tmp"
    leftover.touch()

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(type(tmp_path), "iterdir", refuse)
        write_text(tmp_path / "file.txt", "new")
    assert (tmp_path / "file.txt").read_text() == "new"
    assert leftover.exists()


def test_a_folder_is_searched_for_leftovers_once_however_many_files_are_written(
    tmp_path, monkeypatch
):
    searched = []
    iterdir = type(tmp_path).iterdir

    def count(folder):
        searched.append(folder)
        return iterdir(folder)

    with monkeypatch.context() as patch:
        patch.setattr(type(tmp_path), "iterdir", count)
        for number in range(3):
            write_text(tmp_path / f"{number}.txt", "text")
    assert searched == [tmp_path]


def test_a_pipe_is_written_to_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()), daemon=True)
    reader.start()
    write_text(pipe, "content")
    reader.join(30)
    assert found == ["content"]
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_device_is_written_to_and_stays(tmp_path):
    device = tmp_path / "full"
    device.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as error:
        write_text(device, "content")
    assert error.value.filename == str(device)
    assert device.is_symlink()


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_may_be_a_file_that_is_continued(tmp_path, name):
    code = (
        "from pathlib import Path; from framesweep.system.atomic_files import write_text;"
        f"print('before'); write_text(Path('{name}'), 'content\\n'); print('after')"
    )
    (tmp_path / "out").write_text("earlier\n")
    with (tmp_path / "out").open("a") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "earlier\nbefore\ncontent\nafter\n"
    assert find_descriptor(Path(name)) == 1


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs /dev/shm")
def test_a_file_in_memory_is_replaced_as_any_other():
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = Path(folder, "a.txt")
        write_text(path, "first")
        before = path.stat().st_ino
        write_text(path, "second")
        assert path.read_text() == "second"
        assert path.stat().st_ino != before
        assert find_descriptor(path) is None


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    with pytest.raises(PermissionError) as error, atomic_file(path) as temporary:
        raise PermissionError(13, "Permission denied", str(temporary))
    assert error.value.filename == str(path)
    with pytest.raises(FileNotFoundError) as other, atomic_file(path):
        raise FileNotFoundError(2, "No such file", "elsewhere")
    assert other.value.filename == "elsewhere"
