"""How long to train, and what counts as better."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to train, on which seed, and which epoch counts as best."""

    epochs: int
    batch_size: int
    seed: int
    objective: str
    maximize: bool = True
    final_batch_size: int | None = None
    patience: int | None = None
    max_minutes: float | None = None
    checkpoint_minutes: float = 10.0
    window_frames: int | None = None

    def batch_size_in(self, epoch: int) -> int:
        """Frames a step in this epoch: from batch_size to final_batch_size by equal factors."""
        if self.final_batch_size is None or self.epochs == 1:
            return self.batch_size
        share = min((epoch - 1) / (self.epochs - 1), 1.0)
        growth: float = (self.final_batch_size / self.batch_size) ** share
        return round(self.batch_size * growth)

    def items_in(self, epoch: int, item_frames: int = 1) -> int:
        """Items of so many frames that a step of this epoch takes."""
        return max(1, round(self.batch_size_in(epoch) / item_frames))

    def total_steps(self, num_items: int, item_frames: int = 1) -> int:
        """Steps of all epochs over so many items of so many frames."""
        if self.final_batch_size is None:  # epochs may be a million, and all are alike
            return self.epochs * steps_per_epoch(num_items, self.items_in(1, item_frames))
        sizes = (self.items_in(epoch, item_frames) for epoch in range(1, self.epochs + 1))
        return sum(steps_per_epoch(num_items, size) for size in sizes)


def improves(value: float, best: float | None, *, maximize: bool) -> bool:
    """Return whether an objective is better than the best so far; any value is, than NaN."""
    if best is None or math.isnan(best):
        return True
    return value > best if maximize else value < best


def steps_per_epoch(num_items: int, batch_items: int) -> int:
    """Steps of an epoch, the last and perhaps smaller batch counted."""
    return -(-num_items // batch_items)
