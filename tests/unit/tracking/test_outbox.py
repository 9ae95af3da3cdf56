"""The outbox keeps records in order, through restarts and on full disks."""

import json
import threading
from typing import Any

import pytest

from framesweep.tracking.outbox import Outbox


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_record_is_in_the_file_when_append_returns(tmp_path):
    box = Outbox(tmp_path / "folder" / "box.jsonl")
    box.append({"kind": "a", "value": float("nan")})
    box.append({"kind": "b", "text": "line\nbreak, ü"})
    assert [line["kind"] for line in _lines(box.path)] == ["a", "b"]
    assert _lines(box.path)[1]["text"] == "line\nbreak, ü"


def test_records_are_removed_in_order_and_the_file_is_emptied_at_the_end(tmp_path):
    box = Outbox(tmp_path / "box.jsonl")
    for kind in "abc":
        box.append({"kind": kind})
    seen = []
    while len(box):
        seen.append(box.first()["kind"])
        box.remove_first()
    assert seen == ["a", "b", "c"]
    assert box.path.read_bytes() == b""


def test_records_of_an_earlier_process_come_first_and_are_marked(tmp_path):
    Outbox(tmp_path / "box.jsonl").append({"kind": "old"})
    box = Outbox(tmp_path / "box.jsonl")
    box.append({"kind": "new"})
    assert box.first() == {"kind": "old", "again": True}
    box.remove_first()
    assert box.first() == {"kind": "new"}


@pytest.mark.parametrize("torn", [b'{"kind": "to', b"\xff\xfe", b"\0\0\0"])
def test_a_torn_last_line_is_dropped(tmp_path, torn):
    path = tmp_path / "box.jsonl"
    path.write_bytes(b'{"kind": "whole"}\n' + torn)
    box = Outbox(path)
    box.append({"kind": "next"})
    assert [line["kind"] for line in _lines(path)] == ["whole", "next"]
    assert len(box) == 2
    assert box.num_damaged == 0
    assert not path.with_name("refused.jsonl").exists()


@pytest.mark.parametrize("end", [b"", b"\x0b"])
def test_a_last_line_that_lacks_only_its_newline_is_kept_with_the_next(tmp_path, end):
    box = Outbox(tmp_path / "box.jsonl")
    box.append({"kind": "first"})
    box.append({"kind": "last"})
    box.release()
    box.path.write_bytes(box.path.read_bytes().removesuffix(b"\n") + end)
    again = Outbox(box.path)
    again.append({"kind": "next"})
    assert [r["kind"] for r in Outbox(box.path)._records] == ["first", "last", "next"]


@pytest.mark.parametrize("damaged", range(6))
def test_a_damaged_line_takes_no_other_line_with_it(tmp_path, damaged, caplog):
    box = Outbox(tmp_path / "box.jsonl")
    for number in range(6):
        box.append({"kind": "tags", "tags": {"n": str(number)}})
    lines = box.path.read_bytes().splitlines(keepends=True)
    line = bytearray(lines[damaged])
    line[line.index(b": ") + 3] ^= 1
    lines[damaged] = bytes(line)
    box.path.write_bytes(b"".join(lines))
    again = Outbox(box.path)
    left = [r["tags"]["n"] for r in again._records]
    assert left == [str(n) for n in range(6) if n != damaged]
    assert again.num_damaged == 1
    assert f"line {damaged + 1} is damaged and was moved to" in caplog.text
    (refused,) = _lines(box.path.with_name("refused.jsonl"))
    assert refused["line"] == bytes(line).decode().removesuffix("\n")
    assert refused["reason"] == f"line {damaged + 1} is damaged: its checksum is wrong"
    # It is moved once, not at each start.
    assert Outbox(box.path).num_damaged == 0


def test_a_process_that_was_taken_over_cannot_change_its_successors_file(tmp_path):
    suspended = Outbox(tmp_path / "box.jsonl")
    suspended.append({"kind": "a"})
    successor = Outbox(suspended.path)
    successor.append({"kind": "b"})
    suspended.append({"kind": "late"})
    suspended.remove_first()
    suspended.remove_first()
    assert [line["kind"] for line in _lines(successor.path)] == ["a", "b"]


def test_a_start_can_be_put_before_records_that_lack_theirs(tmp_path):
    box = Outbox(tmp_path / "box.jsonl")
    assert not box.lacks_start
    box.append({"kind": "tags", "tags": {}})
    assert box.lacks_start
    box.insert_first({"kind": "start", "key": "k"})
    box.append({"kind": "next"})
    assert not box.lacks_start
    assert [line["kind"] for line in _lines(box.path)] == ["start", "tags", "next"]
    assert [r["kind"] for r in box._records] == ["start", "tags", "next"]


def test_last_returns_the_latest_record_of_a_kind(tmp_path):
    box = Outbox(tmp_path / "box.jsonl")
    box.append({"kind": "start", "key": "1"})
    box.append({"kind": "start", "key": "2"})
    box.append({"kind": "metrics"})
    assert box.last("start") == {"kind": "start", "key": "2"}
    assert box.last("status") is None


def test_first_waits_for_a_record_and_returns_none_after_close(tmp_path):
    box = Outbox(tmp_path / "box.jsonl")
    seen = []

    def take():
        while (record := box.first()) is not None:
            seen.append(record["kind"])
            box.remove_first()

    thread = threading.Thread(target=take)
    thread.start()
    box.append({"kind": "a"})
    box.append({"kind": "b"})
    box.close()
    thread.join(10)
    assert not thread.is_alive()
    assert seen == ["a", "b"]


class _FullDisk:
    """A file that writes only half of what it is given, as a nearly full disk does."""

    def __init__(self, file):
        self._file = file

    def write(self, data):
        return self._file.write(data[: len(data) // 2])

    def truncate(self, size):
        return self._file.truncate(size)


def test_a_full_disk_loses_no_record_and_does_not_damage_the_file(tmp_path, caplog):
    box = Outbox(tmp_path / "box.jsonl")
    box.append({"kind": "a"})
    disk: Any = box._file
    full: Any = _FullDisk(disk)
    box._file = full
    box.append({"kind": "b"})
    box._file = disk
    box.append({"kind": "c"})
    assert "kept in memory" in caplog.text
    assert [line["kind"] for line in _lines(box.path)] == ["a", "c"]
    assert len(box) == 3


def test_a_start_that_finds_no_space_is_an_error_because_its_run_could_not_be_found_again(
    tmp_path,
):
    box = Outbox(tmp_path / "box.jsonl")
    full: Any = _FullDisk(box._file)
    box._file = full
    with pytest.raises(OSError, match=r"No space left on device: '.*box\.jsonl'"):
        box.append({"kind": "start"})
    assert len(box) == 0
    assert _lines(box.path) == []
