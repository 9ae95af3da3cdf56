"""The progress of long loops: a bar on a terminal, otherwise lines in the log."""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from hydra_plugins.framesweep_sweeper._terminal import shows_bars

log = logging.getLogger(__name__)
Item = TypeVar("Item")

LINE_SECONDS, MAX_LINE_SECONDS = 10.0, 300.0
"""Time before the first line in the log, and the longest time between two: it doubles with each
line, so that hours of preparation are some dozens of lines."""


def track(items: Iterable[Item], description: str, total: int | None) -> Iterator[Item]:
    """Yield `items`, showing how many of `total` (None if unknown) are done."""
    if shows_bars():
        from rich.console import Console
        from rich.progress import track as rich_track

        console = Console(stderr=True)
        yield from rich_track(
            items, description=description, total=total, console=console, transient=True
        )
        return
    of_total = f"/{total}" if total is not None else ""
    last, pause = time.monotonic(), LINE_SECONDS
    for done, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - last >= pause:
            last, pause = time.monotonic(), min(2 * pause, MAX_LINE_SECONDS)
            log.info("%s: %d%s", description, done, of_total)
