"""Measures the speed of several contenders in interleaved rounds.

Other processes on the machine slow down whatever runs at the moment. If one contender were
measured after the other, a busy minute would count against one of them alone. Here each round
runs every contender once, briefly, so that load affects all of them equally, and speeds are
only compared within a round. The median over rounds drops those in which the load changed.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Contender = Callable[[], int]
"""Does some work, waits until an accelerator has finished it, and returns its frames."""


@dataclass(slots=True)
class Speeds:
    """The speeds of several contenders in frames/s, one value per round.

    Attributes:
        clock: returns seconds, of wall time or of the process's CPU time.
    """

    clock: Callable[[], float] = time.perf_counter
    rounds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, num_frames: int, seconds: float) -> None:
        """Record that `name` processed `num_frames` frames in a round."""
        self.rounds.setdefault(name, []).append(num_frames / seconds)

    def run_round(self, contenders: Mapping[str, Contender]) -> None:
        """Run each contender once and record its speed."""
        for name, contender in contenders.items():
            started = self.clock()
            num_frames = contender()
            self.add(name, num_frames, self.clock() - started)

    def median(self, name: str) -> float:
        """Return the frames/s of `name` in its median round."""
        return statistics.median(self.rounds[name])

    def ratio(self, name: str, base: str) -> float:
        """Return the median, over rounds, of the speed of `name` divided by that of `base`."""
        pairs = zip(self.rounds[name], self.rounds[base], strict=True)
        return statistics.median(a / b for a, b in pairs)

    def to_dict(self) -> dict[str, float]:
        """Return the median frames/s of each contender."""
        return {name: self.median(name) for name in self.rounds}
