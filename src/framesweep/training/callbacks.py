"""What the training loop reports its progress to."""

from typing import Protocol


class Callback(Protocol):
    """Hears of training's progress and may ask it to stop.

    The loop knows nothing else of the outside: console, tracking and sweeps all take part
    through a callback.
    """

    def on_restore(self, history: list[dict[str, float]]) -> None:
        """Called once before the first step, with the metrics of each epoch trained before."""

    def on_step(self, epoch: int, step: int, num_steps: int) -> None:
        """Called after step number `step` of the epoch's `num_steps`, both counted from 1."""

    def on_values(self, loss: float, lr: float) -> None:
        """Called every few steps with the epoch's mean training loss and the learning rate."""

    def on_evaluate(self, epoch: int) -> None:
        """Called after the last step of an epoch, before it is evaluated."""

    def on_epoch(self, epoch: int, metrics: dict[str, float], *, is_last: bool) -> None:
        """Called after an epoch, counted from 1, was evaluated and its checkpoint written.

        Args:
            is_last: Whether training ends with this epoch.
        """

    def stop_signal(self) -> int:
        """Return the number of the signal that asks training to stop, or 0."""
        ...


class NoOpCallback:
    """Ignores all reports and never asks to stop; a base class for callbacks."""

    def on_restore(self, history: list[dict[str, float]]) -> None:
        pass

    def on_step(self, epoch: int, step: int, num_steps: int) -> None:
        pass

    def on_values(self, loss: float, lr: float) -> None:
        pass

    def on_evaluate(self, epoch: int) -> None:
        pass

    def on_epoch(self, epoch: int, metrics: dict[str, float], *, is_last: bool) -> None:
        pass

    def stop_signal(self) -> int:
        return 0
