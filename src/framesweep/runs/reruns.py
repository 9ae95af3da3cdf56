"""Trains runs again: with other seeds, or to check that a result is reproducible."""

import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from framesweep.catalog.directories import require_run_directory
from framesweep.config import RunConfig
from framesweep.config.composition import CONFIG_FILE, load, process_id
from framesweep.config.paths import follow_move
from framesweep.errors import CheckpointError
from framesweep.runs.run import run
from framesweep.sweeps.context import PARENT_VARIABLE
from framesweep.system.atomic_files import write_csv


@dataclass(frozen=True, slots=True)
class SeedResult:
    """The objective of a trial that was trained again with another seed."""

    trial: int
    seed: int
    value: float


class SeedRuns:
    """Trains trials again with other seeds.

    The values are saved in a table, seeds.csv, so that no seed is trained twice.

    Args:
        folder: The directory of the study. Runs are trained in seeds/<trial>-<seed>.
        parent_run_id: The MLflow run that becomes their parent, or None.
        uri: The tracking URI; None for that of the trial.
    """

    def __init__(self, folder: Path, parent_run_id: str | None, uri: str | None = None) -> None:
        self._folder = folder
        self._parent_run_id = parent_run_id
        self._uri = uri
        self._table = folder / "seeds.csv"
        self._done = {(r.trial, r.seed): r for r in _read(self._table)}

    def measure(self, trial: int, directory: Path, seeds: Sequence[int]) -> list[float]:
        """Return the objective of a trial for each seed, training those that are not saved.

        Args:
            trial: The number of the trial.
            directory: Where it ran.
            seeds: The seeds.

        Raises:
            CheckpointError: if the trial has no config.
            FramesweepError: as `run`.
        """
        for seed in seeds:
            if (trial, seed) not in self._done:
                self._done[trial, seed] = self._train(trial, directory, seed)
                self._write()
        return [self._done[trial, seed].value for seed in seeds]

    def _train(self, trial: int, directory: Path, seed: int) -> SeedResult:
        config = read_config(directory, [f"seed={seed}"])
        config.tracking.uri = self._uri or config.tracking.uri
        config.tracking.run_name = f"trial {trial}, seed {seed}"
        with _nested_under(self._parent_run_id):
            value = run(config, self._folder / "seeds" / f"{trial}-{seed}", in_sweep=True)
        return SeedResult(trial, seed, value[0] if isinstance(value, list) else value)

    def _write(self) -> None:
        rows = ((r.trial, r.seed, r.value) for r in self._done.values())
        write_csv(self._table, [("trial", "seed", "value"), *rows])


def read_config(directory: Path, overrides: list[str]) -> RunConfig:
    """Return the config of the run in `directory`, changed by `key=value` overrides.

    Raises:
        CheckpointError: if there is no config.
    """
    require_run_directory(directory)
    path = directory / CONFIG_FILE
    if not path.exists():
        raise CheckpointError(path, "must exist for the run to be trained again")
    config = load(path.read_text(encoding="utf-8"), overrides, path)
    follow_move(config, directory)
    return config


def run_again(
    directory: Path, outputs: Path, uri: str | None, name: str | None = None
) -> tuple[Path, float]:
    """Train with the config of the run in `directory` in a new directory.

    Args:
        directory: The directory of the first run.
        outputs: The directory of all runs.
        uri: The tracking URI; None for that of the first run.
        name: The name of the new run; None for that of the first run's config.

    Returns:
        The new directory and the objective.
    """
    config = read_config(directory, [])
    config.tracking.uri = uri or config.tracking.uri
    config.tracking.run_name = name or config.tracking.run_name
    config.tracking.register = None  # the first run may have registered its model
    config.outputs = str(outputs.absolute())
    now = datetime.now()
    new_directory = outputs / "runs" / f"{now:%Y-%m-%d}" / f"{now:%H-%M-%S}-{process_id()}"
    value = run(config, new_directory.absolute())
    return new_directory, value[0] if isinstance(value, list) else value


@contextmanager
def _nested_under(parent_run_id: str | None) -> Iterator[None]:
    if parent_run_id is None:
        yield
        return
    os.environ[PARENT_VARIABLE] = parent_run_id
    try:
        yield
    finally:
        del os.environ[PARENT_VARIABLE]


def _read(path: Path) -> list[SeedResult]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            SeedResult(int(row["trial"]), int(row["seed"]), float(row["value"]))
            for row in csv.DictReader(file)
        ]
