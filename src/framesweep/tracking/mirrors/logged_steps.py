"""Remembers which steps a mirror has, so that a resumed run shows none of them twice."""

import json
from collections.abc import Mapping
from pathlib import Path

from framesweep.system.atomic_files import write_text


class LoggedSteps:
    """The id of a mirrored run and the last step of each metric, kept in a file.

    A resumed run logs its earlier epochs again. The file is written after a step was logged: a
    crash in the milliseconds between the two repeats a step rather than losing it.

    Attributes:
        attributes: texts that belong to the run, such as its id; `save` keeps them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.attributes: dict[str, str | None] = {}
        self._last: dict[str, int] = {}
        if path.exists():
            content = json.loads(path.read_text(encoding="utf-8"))
            self.attributes, self._last = content["attributes"], content["last_steps"]

    @property
    def last(self) -> int:
        """The last step of any metric; 0 before the first."""
        return max(self._last.values(), default=0)

    def select_new(self, step: int, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return those metrics that were not logged yet at this step or a later one."""
        return {name: v for name, v in metrics.items() if step > self._last.get(name, -1)}

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Remember that the metrics were logged at this step."""
        self._last |= dict.fromkeys(metrics, step)
        self.save()

    def save(self) -> None:
        """Write the file."""
        content = {"attributes": self.attributes, "last_steps": self._last}
        write_text(self._path, json.dumps(content))
