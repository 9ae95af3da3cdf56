"""What is measured: a network, the corpus it is trained on, and how time is taken."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from framesweep.config import RunConfig
from framesweep.config.composition import compose
from framesweep.runs.experiment import Experiment, build_experiment


@dataclass(frozen=True, slots=True)
class Case:
    """A network to measure, with the corpus and the settings to measure it with.

    Attributes:
        root: directory of a corpus that `write_corpus` has written.
        threads: number of threads; None for all cores.
        cpu_time: measures CPU time instead of wall time.
        batch_size: frames per training step.
    """

    model: str
    precision: str
    context: int
    root: str
    outputs: str
    threads: int | None = None
    cpu_time: bool = False
    batch_size: int = 2048

    @property
    def clock(self) -> Callable[[], float]:
        """Return the clock: wall time, or CPU time, which other processes hardly affect."""
        return time.process_time if self.cpu_time else time.perf_counter

    def build_experiment(self) -> Experiment:
        """Return the experiment as `train.py` would build it."""
        return build_experiment(self.compose())

    def compose(self) -> RunConfig:
        """Return the config of the experiment."""
        return compose(self.to_overrides())

    def to_overrides(self) -> list[str]:
        """Return the arguments with which `train.py` trains this network."""
        return [
            "data=hw1p2",
            f"data.root={self.root}",
            f"data.context={self.context}",
            f"model={self.model}",
            f"train.batch_size={self.batch_size}",
            "optim=adam",
            f"hardware.precision={self.precision}",
            f"outputs={self.outputs}",
            f"hardware.threads={self.threads or 'null'}",
            "tracking.backend=none",
            "train.epochs=1000000",  # a callback ends training when it has measured enough
        ]

    def to_labels(self) -> dict[str, Any]:
        """Return the settings that distinguish this case from others in a result."""
        labels = ("model", "precision", "context", "batch_size")
        return {k: v for k, v in asdict(self).items() if k in labels}
