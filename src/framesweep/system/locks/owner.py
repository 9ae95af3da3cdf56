"""The file that names the owner of a run directory; see `ownership`."""

import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from hydra_plugins.framesweep_sweeper import Process

OWNER_FILE = ".owner"

STALE_SECONDS = 180.0
"""Seconds without a sign of life after which an owner on another machine counts as dead.
Network file systems show a file's time with a delay of up to a minute."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The content of the file that names a directory's owner.

    Attributes:
        token: what tells this owner from all others.
        since: when it became the owner, in seconds since 1970.
        claim: the number of the claim under which it runs a trial; 0 outside of a search.
    """

    token: str
    process: Process
    since: float
    claim: int = 0

    @classmethod
    def read(cls, directory: Path) -> "Owner | None":
        """Return the owner of a directory, or None if it has none or the file is damaged.

        Raises:
            OSError: the file exists but cannot be read.
        """
        try:
            record = json.loads((directory / OWNER_FILE).read_text(encoding="utf-8"))
            process = Process.load(record["process"])
            return cls(record["token"], process, float(record["since"]), int(record["claim"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def has_ended(self, directory: Path) -> bool:
        """Return whether the owner's process has certainly or, elsewhere, probably ended."""
        if self.process.is_known_dead():
            return True
        if self.process.place == Process.current().place:
            return False
        return _seconds_since_touch(directory) > STALE_SECONDS

    def __str__(self) -> str:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"{self.process.pid} on {self.process.host} since {started}"


def _seconds_since_touch(directory: Path) -> float:
    """Return the age of the owner's last sign of life, by the clock of the file system."""
    probe = directory / f"{OWNER_FILE}.{uuid.uuid4().hex}.tmp"
    try:
        probe.touch()
        now = probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)
    try:
        return now - (directory / OWNER_FILE).stat().st_mtime
    except OSError:
        return 0.0
