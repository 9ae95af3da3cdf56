"""Reads the .wandb file of an offline run, with W&B's own messages.

The file is a log of LevelDB after a header of seven bytes: blocks of 32 KiB, and in them pieces
with a header of checksum, length and type (1 whole, 2 first, 3 middle, 4 last); see
https://github.com/google/leveldb/blob/main/doc/log_format.md.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK, HEADER = 32768, 7


def read_records(path: Path) -> Iterator[Any]:
    """Yield the records of a run, as `wandb_internal_pb2.Record`."""
    from wandb.proto import wandb_internal_pb2

    messages: Any = wandb_internal_pb2  # generated classes, of which mypy knows nothing

    data = path.read_bytes()
    assert data[:4] == b":W&B"
    position, whole = HEADER, b""
    while position + HEADER <= len(data):
        left = BLOCK - position % BLOCK
        if left < HEADER:
            position += left
            continue
        checksum, length, kind = struct.unpack_from("<IHB", data, position)
        piece = data[position + HEADER : position + HEADER + length]
        assert checksum == zlib.crc32(bytes([kind]) + piece)
        position += HEADER + length
        whole += piece
        if kind in (1, 4):
            record = messages.Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


def read_run(path: Path) -> dict[str, Any]:
    """Return the run's fields, config, history (a list of rows), summary and exit code."""
    content: dict[str, Any] = {"config": {}, "history": [], "summary": {}, "exit_code": None}
    for record in read_records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
            content |= {"id": run.run_id, "group": run.run_group, "name": run.display_name}
            content |= {"role": run.job_type, "project": run.project}
            content["config"] |= _items(run.config.update)
        elif kind == "config":
            content["config"] |= _items(record.config.update)
        elif kind == "history":
            content["history"].append(_items(record.history.item))
        elif kind == "summary":
            content["summary"] |= _items(record.summary.update)
        elif kind == "exit":
            content["exit_code"] = record.exit.exit_code
    return content


def _items(items: Any) -> dict[str, Any]:
    return {
        "/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items
    }
