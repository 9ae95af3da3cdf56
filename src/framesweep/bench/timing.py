"""Speeds measured in turns, so that a busy machine slows all that is compared alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Contender = Callable[[], int]
"""Does a little work, waits until it is done, and returns the frames it has done."""


@dataclass(slots=True)
class Speeds:
    """Frames/s of several contenders, one number each a round.

    Attributes:
        clock: seconds, by the clock on the wall or by another.
    """

    clock: Callable[[], float] = time.perf_counter
    rounds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, num_frames: int, seconds: float) -> None:
        """Notes that `name` did so many frames in a round."""
        self.rounds.setdefault(name, []).append(num_frames / seconds)

    def take_turns(self, contenders: Mapping[str, Contender]) -> None:
        """Runs each once, and notes its speed."""
        for name, contender in contenders.items():
            started = self.clock()
            num_frames = contender()
            self.add(name, num_frames, self.clock() - started)

    def speed(self, name: str) -> float:
        """Frames/s in the median round."""
        return statistics.median(self.rounds[name])

    def ratio(self, name: str, base: str) -> float:
        """Speed of `name` over that of `base` in the same round; the median round's."""
        pairs = zip(self.rounds[name], self.rounds[base], strict=True)
        return statistics.median(a / b for a, b in pairs)

    def to_dict(self) -> dict[str, float]:
        """Median frames/s by name."""
        return {name: self.speed(name) for name in self.rounds}
