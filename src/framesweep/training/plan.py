"""The plan of a training: its epochs, batch sizes and limits, and its objective."""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to train, in which batches and order, and which epoch counts as best.

    An item is what the network is trained on: a window, which is one frame, or a chunk of
    several neighboring frames.

    Attributes:
        epochs: Most epochs to train.
        batch_size: Frames per step.
        seed: Seed of the order of frames.
        objective: Name of the metric that decides which epoch is best.
        maximize: Whether a larger objective is better.
        final_batch_size: Frames per step in the last epoch; None for `batch_size`.
        patience: Epochs without a better objective after which training ends; None for none.
        max_minutes: Minutes of training steps after which it ends; None for no limit.
        checkpoint_minutes: Minutes between checkpoints within an epoch.
        buffer_frames: Size of the shuffle buffer of a BlockShuffleSampler; None shuffles all
            frames together.
        utterances: How many of the first utterances each epoch trains on; the last number also
            holds for the epochs that follow. Empty for all utterances in each epoch.
    """

    epochs: int
    batch_size: int
    seed: int
    objective: str
    maximize: bool = True
    final_batch_size: int | None = None
    patience: int | None = None
    max_minutes: float | None = None
    checkpoint_minutes: float = 10.0
    buffer_frames: int | None = None
    utterances: tuple[int, ...] = ()

    def num_utterances(self, epoch: int) -> int | None:
        """Return how many of the first utterances an epoch trains on; None for all."""
        return (
            self.utterances[min(epoch, len(self.utterances)) - 1] if self.utterances else None
        )

    def batch_frames(self, epoch: int) -> int:
        """Return the frames per step of an epoch.

        They grow by the same factor from epoch to epoch, from `batch_size` in the first to
        `final_batch_size` in the last.
        """
        if self.final_batch_size is None or self.epochs == 1:
            return self.batch_size
        share = min((epoch - 1) / (self.epochs - 1), 1.0)
        growth: float = (self.final_batch_size / self.batch_size) ** share
        return round(self.batch_size * growth)

    def batch_items(self, epoch: int, item_frames: int = 1) -> int:
        """Return the items, of `item_frames` frames each, per step of an epoch; at least 1."""
        return max(1, round(self.batch_frames(epoch) / item_frames))

    def total_steps(
        self, count_items: Callable[[int | None], int], item_frames: int = 1
    ) -> int:
        """Return the steps of all epochs.

        Args:
            count_items: Returns the number of items in the first utterances, or in all.
            item_frames: Frames per item.
        """
        # Only as many epochs as differ from each other, because there may be a million.
        varying = len(self.utterances) if self.final_batch_size is None else self.epochs
        first = range(1, min(self.epochs, max(1, varying)) + 1)
        steps = [
            steps_per_epoch(
                count_items(self.num_utterances(epoch)), self.batch_items(epoch, item_frames)
            )
            for epoch in first
        ]
        return sum(steps) + (self.epochs - len(steps)) * steps[-1]


def improves(value: float, best: float | None, *, maximize: bool) -> bool:
    """Return whether an objective is better than the best so far; any value is, than NaN."""
    if best is None or math.isnan(best):
        return True
    return value > best if maximize else value < best


def steps_per_epoch(num_items: int, batch_items: int) -> int:
    """Return the steps of an epoch, the last of which may have a smaller batch."""
    return -(-num_items // batch_items)
