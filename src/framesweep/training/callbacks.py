"""A listener to training that does nothing, for others to be made from."""


class NoOpCallback:
    """Hears all that training reports, and never asks it to stop."""

    def on_restore(self, history: list[dict[str, float]]) -> None:
        pass

    def on_step(self, epoch: int, step: int, num_steps: int) -> None:
        pass

    def on_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        pass

    def stop_signal(self) -> int:
        return 0
