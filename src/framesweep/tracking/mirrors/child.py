"""The process of a mirror: reads records from its standard input and shows them.

What it has to say to the training is written to its standard output, one JSON object per line:

    {"level": "warning", "text": "..."}    a line for the log
    {"failed": "..."}                      the reason for which it ends
"""

import json
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable
from typing import IO

from framesweep.credentials import scrub
from framesweep.tracking.mirrors.base import Mirror, MirroredRun, Notify
from framesweep.tracking.mirrors.packages import MIRRORS

Open = Callable[[MirroredRun, Notify], Mirror]


def serve(lines: Iterable[bytes], open_mirror: Open, output: IO[str]) -> int:
    """Show the records in `lines` until the run is closed or the lines end.

    Args:
        lines: JSON objects; the first describes the run, the others are its records.
        open_mirror: creates the mirror.
        output: receives what the training shall log.

    Returns:
        The exit code: 1 if the mirror failed.
    """

    def notify(level: str, text: str) -> None:
        _send(output, {"level": level, "text": scrub(text)})

    try:
        records = (json.loads(line) for line in lines)
        mirror = open_mirror(MirroredRun(**next(records)), notify)
        for record in records:
            if record["kind"] == "close":
                mirror.close(record["status"])
                break
            mirror.write(record)
        else:
            # The process that trains was killed.
            mirror.close(None)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".strip().split("\n", maxsplit=1)[0]
        _send(output, {"failed": scrub(reason)[:300]})
        return 1
    return 0


def main(name: str) -> int:
    """Run the mirror of this name on the standard streams."""
    # Whatever a library prints must not be taken for our messages.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return serve(sys.stdin.buffer, pkgutil.resolve_name(MIRRORS[name]), output)


def _send(output: IO[str], message: dict[str, str]) -> None:
    output.write(json.dumps(message) + "\n")
    output.flush()
