"""A line of the outbox is read as it was written, or recognized as damaged."""

import json

import pytest

from framesweep.tracking.records import decode_record, encode_record, find_records

RECORD = {"kind": "metrics", "step": 3, "metrics": {"dev/loss": 0.25}, "time": 17}


def test_a_record_is_read_as_it_was_written():
    line = encode_record(RECORD)
    assert line.endswith(b"\n")
    assert decode_record(line) == RECORD
    assert decode_record(line.removesuffix(b"\n")) == RECORD


def test_every_flipped_bit_of_a_record_is_noticed():
    line = encode_record(RECORD).removesuffix(b"\n")
    body = line.rindex(b', "crc"')
    for position in range(len(line)):
        for bit in range(8):
            damaged = bytearray(line)
            damaged[position] ^= 1 << bit
            try:
                read = decode_record(bytes(damaged))
            except ValueError:
                continue
            # Only the name of the checksum's own field can change unnoticed: the line is then
            # read like one of an earlier version, and what was logged is all there.
            assert position > body
            assert {key: read[key] for key in RECORD} == RECORD


def test_lines_of_earlier_versions_have_no_checksum():
    assert decode_record(json.dumps(RECORD).encode() + b"\n") == RECORD


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"[1, 2]", b"null", b"7", b"{}", b'{"kind": 3}', b"\xff\xfe", b"\0\0\0"),
        *(b'{"kind": "tags"}', b'{"kind": "tags", "tags": {"a": 1}}', b"[" * 100_000),
        b'{"kind": "metrics", "step": "1", "metrics": {}, "time": 1}',
        b'{"kind": "start", "key": "k", "name": null, "tags": {}, "time": 1, "uri": 3}',
    ],
)
def test_what_is_no_record_is_recognized(line):
    with pytest.raises(ValueError, match=r"^it is not |^its field "):
        decode_record(line)


def test_a_kind_that_this_version_does_not_know_is_read():
    assert decode_record(b'{"kind": "later", "x": 1}') == {"kind": "later", "x": 1}


def test_records_are_found_around_a_damaged_newline():
    other = {"kind": "status", "status": "FINISHED", "time": 18}
    first, second = encode_record(RECORD), encode_record(other)
    assert find_records(first[:-1] + b"\x0b" + second[:-1]) == [RECORD, other]
    assert find_records(first[:-1] + b"\x0b" + second[:-9]) == [RECORD]
    assert find_records(b'{"kind": "tags", "tags": {}}') == []
