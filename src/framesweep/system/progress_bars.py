"""The progress of long loops: a bar on a terminal, otherwise lines in the log."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

log = logging.getLogger(__name__)
Item = TypeVar("Item")

LINE_SECONDS = 10.0
"""Shortest time between two lines in the log."""


def track(items: Iterable[Item], description: str, total: int | None) -> Iterator[Item]:
    """Yield `items`, showing how many of `total` (None if unknown) are done."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track as rich_track

        console = Console(stderr=True)
        yield from rich_track(
            items, description=description, total=total, console=console, transient=True
        )
        return
    of_total = f"/{total}" if total is not None else ""
    last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            log.info("%s: %d%s", description, done, of_total)
