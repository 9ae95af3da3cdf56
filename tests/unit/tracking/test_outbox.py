"""The outbox keeps records, in order, through restarts and full disks."""

import json
import threading

import pytest

from framesweep.tracking.outbox import Outbox


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_record_is_on_disk_when_append_returns(tmp_path):
    box = Outbox(tmp_path / "folder" / "box.jsonl")
    box.append({"kind": "a", "value": float("nan")})
    box.append({"kind": "b", "text": "line\nbreak, ü"})
    assert [line["kind"] for line in _lines(box.path)] == ["a", "b"]
    assert _lines(box.path)[1]["text"] == "line\nbreak, ü"


def test_records_leave_in_order_and_the_file_empties(tmp_path):
    box = Outbox(tmp_path / "box.jsonl")
    for kind in "abc":
        box.append({"kind": kind})
    seen = []
    while len(box):
        seen.append(box.first()["kind"])
        box.remove_first()
    assert seen == ["a", "b", "c"]
    assert box.path.read_bytes() == b""


def test_what_was_left_behind_comes_first_and_is_marked(tmp_path):
    Outbox(tmp_path / "box.jsonl").append({"kind": "old"})
    box = Outbox(tmp_path / "box.jsonl")
    box.append({"kind": "new"})
    assert box.first() == {"kind": "old", "again": True}
    box.remove_first()
    assert box.first() == {"kind": "new"}


@pytest.mark.parametrize("torn", [b'{"kind": "to', b"\xff\xfe\n", b"\0\0\0"])
def test_a_torn_last_line_is_dropped(tmp_path, torn):
    path = tmp_path / "box.jsonl"
    path.write_bytes(b'{"kind": "whole"}\n' + torn)
    box = Outbox(path)
    box.append({"kind": "next"})
    assert [line["kind"] for line in _lines(path)] == ["whole", "next"]
    assert len(box) == 2


def test_last_finds_the_latest_of_a_kind(tmp_path):
    box = Outbox(tmp_path / "box.jsonl")
    box.append({"kind": "start", "key": "1"})
    box.append({"kind": "start", "key": "2"})
    box.append({"kind": "metrics"})
    assert box.last("start") == {"kind": "start", "key": "2"}
    assert box.last("status") is None


def test_first_waits_for_a_record_and_ends_with_close(tmp_path):
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
    """A file that takes half of what is written, and counts how it was cut."""

    def __init__(self, file):
        self._file = file

    def write(self, data):
        return self._file.write(data[: len(data) // 2])

    def truncate(self, size):
        return self._file.truncate(size)


def test_a_full_disk_costs_neither_the_record_nor_the_file(tmp_path, caplog):
    box = Outbox(tmp_path / "box.jsonl")
    box.append({"kind": "a"})
    disk, box._file = box._file, _FullDisk(box._file)
    box.append({"kind": "b"})
    box._file = disk
    box.append({"kind": "c"})
    assert "kept in memory" in caplog.text
    assert [line["kind"] for line in _lines(box.path)] == ["a", "c"]
    assert len(box) == 3
