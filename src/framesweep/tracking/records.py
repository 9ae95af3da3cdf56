"""The lines of an outbox: each one a record with a checksum.

A line is the record's JSON object with one more field at its end:

    {"kind": "tags", "tags": {"best_epoch": "7"}, "crc": "5b1a6d02"}

`crc` is the CRC-32 of the line without it. JSON alone does not notice a flipped bit in a number
or a text, and would pass it on to the tracking server. Lines of earlier versions have no
checksum; they are read as they are. A reader that does not know the field ignores it, so a
folder can be taken back to an earlier version as well.
"""

import json
import re
import zlib
from typing import Any, Protocol

OutboxRecord = dict[str, Any]
"""A JSON object with a `kind`, which says what it does to the run, and the kind's fields."""

TEXT_VALUES = "texts"
"""Stands, in `FIELDS`, for an object whose values are texts."""
NUMBER_VALUES = "numbers"
"""Stands, in `FIELDS`, for an object whose values are numbers."""

FIELDS: dict[str, dict[str, Any]] = {
    "start": {"key": str, "name": str | None, "tags": TEXT_VALUES, "time": int},
    "resume": {"run_id": str | None},
    "params": {"params": TEXT_VALUES},
    "tags": {"tags": TEXT_VALUES},
    "metrics": {"step": int, "metrics": NUMBER_VALUES, "time": int},
    "dataset": {"dataset": TEXT_VALUES},
    "artifact": {"path": str, "folder": str},
    "model": {"path": str, "feature_dim": int},
    "register": {"name": str},
    "status": {"status": str, "time": int},
}
"""The fields that each kind of record needs, and their types. A `start` record may also have
the text fields of `DESTINATION_FIELDS`, which those of the first version lack."""

DESTINATION_FIELDS = ("uri", "experiment", "outputs")

_SEAL = re.compile(rb', "crc": "([0-9a-f]{8})"\}$')
_SEALED = re.compile(rb'\{"kind": .*?, "crc": "[0-9a-f]{8}"\}')


class RecordWriter(Protocol):
    """What the sender needs of the code that talks to the tracking server."""

    def write(self, record: OutboxRecord) -> None:
        """Send one record; sending it twice must have the effect of sending it once.

        Raises:
            OSError: the server cannot be reached at the moment; the sender tries again.
            FileNotFoundError: a file to upload is missing; the record is refused.
            LostRunError: the run does not exist.
            Exception: the server refuses the record.
        """

    def restore(self) -> None:
        """Undo what this process may have done to a run that belongs to another one.

        Raises:
            OSError: that is not possible at the moment; the sender tries again.
        """


def encode_record(record: OutboxRecord) -> bytes:
    """Return the line of a record, which ends with a newline."""
    content = json.dumps(record).encode()
    return content[:-1] + f', "crc": "{zlib.crc32(content):08x}"}}\n'.encode()


def decode_record(line: bytes) -> OutboxRecord:
    """Return the record of a line, with or without its newline.

    Raises:
        ValueError: the line is damaged, or no record that this version knows.
    """
    line = line.removesuffix(b"\n")
    if (seal := _SEAL.search(line)) is not None:
        line = line[: seal.start()] + b"}"
        if f"{zlib.crc32(line):08x}".encode() != seal[1]:
            raise ValueError("its checksum is wrong")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    _require_shape(record)
    return record  # type: ignore[no-any-return]


def find_records(line: bytes) -> list[OutboxRecord]:
    """Return the records that a damaged line still contains, each proven by its checksum.

    Where only a newline was damaged, two records share a line, or something follows the last.
    """
    found = []
    for match in _SEALED.finditer(line):
        try:
            found.append(decode_record(match[0]))
        except ValueError:
            continue
    return found


def _require_shape(record: object) -> None:
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
        raise ValueError("it is not an object with a kind")
    # A kind that a later version added is left to the writer, which refuses it by name.
    for name, rule in FIELDS.get(record["kind"], {}).items():
        if name not in record or not _has_type(record[name], rule):
            raise ValueError(f"its field {name!r} is missing or has another type")
    for name in DESTINATION_FIELDS if record["kind"] == "start" else ():
        if not isinstance(record.get(name, ""), str):
            raise ValueError(f"its field {name!r} has another type")


def _has_type(value: object, rule: Any) -> bool:
    if rule not in (TEXT_VALUES, NUMBER_VALUES):
        return isinstance(value, rule)
    wanted = str if rule == TEXT_VALUES else (int, float)
    return isinstance(value, dict) and all(isinstance(v, wanted) for v in value.values())
