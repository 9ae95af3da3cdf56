"""A file with a line per victim of `kill -9`, so that a long test can be continued."""

import json
import time
from collections import Counter
from pathlib import Path

from faults.fault_result import FaultResult


class KillRecord:
    """The kills so far, and what they broke.

    Args:
        name: what was killed.
        seed: seed of the random moments; victims of another seed are not counted.
        path: the file; None records nothing.
    """

    def __init__(self, name: str, seed: int, path: Path | None) -> None:
        self._key = {"killed": name, "seed": seed}
        self._path = path
        self._victims: list[tuple[Counter[str], str]] = []
        self._started = time.monotonic()
        lines = path.read_text().splitlines() if path is not None and path.exists() else []
        for entry in map(json.loads, lines):
            if self._key.items() <= entry.items():
                self._victims.append((Counter(entry["kills"]), entry["failure"]))

    @property
    def num_victims(self) -> int:
        return len(self._victims)

    @property
    def num_kills(self) -> int:
        return sum(kills.total() for kills, _ in self._victims)

    def add(self, kills: Counter[str], failure: str) -> None:
        """Record a victim that has ended; `failure` is empty if it ended as it should."""
        self._victims.append((kills, failure))
        if self._path is not None:
            line = json.dumps({**self._key, "kills": kills, "failure": failure})
            with self._path.open("a") as file:
                print(line, file=file)

    def describe_progress(self, count: int) -> str:
        """Return a line with the numbers so far."""
        failures = sum(1 for _, failure in self._victims if failure)
        seconds = time.monotonic() - self._started
        return (
            f"{self._key['killed']}: {self.num_kills:,} of {count:,} kills, "
            f"{self.num_victims} ended, {failures} differ, {seconds:.0f} s"
        )

    def summarize(self) -> FaultResult:
        """Return the row of the table."""
        result = FaultResult(f"kill -9 of a {self._key['killed']}")
        moments: Counter[str] = Counter()
        for kills, failure in self._victims:
            result.add(kills.total(), failure)
            moments += kills
        result.note = f"{self.num_victims} {self._key['killed']}s; " + ", ".join(
            f"{number} {moment}" for moment, number in moments.most_common()
        )
        return result
