"""Records the table on which searches are replayed: a training of each point of a grid.

    python -m framesweep.bench.search.record CORPUS FOLDER [--utterances N] [--processes N]

CORPUS is a folder of HW1P2's files, of which the first utterances are used. Each training is
one line in FOLDER/trainings.jsonl, so that a recording that was stopped can be continued. The
table is FOLDER/table.npz.
"""

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from framesweep.bench.search.grid import AXES, NUM_EPOCHS, Point, list_points, name_point
from framesweep.bench.search.parallel import map_in_processes
from framesweep.bench.search.table import TABLE
from framesweep.config import RunConfig
from framesweep.config.composition import compose, register
from framesweep.runs.experiment import build_experiment
from framesweep.training.callbacks import NoOpCallback
from framesweep.training.checkpoints import NoCheckpoints

SETTINGS = (
    *("data=hw1p2", "train.batch_size=512"),
    *("model=base", "model.widths=null", "optim.schedule=constant", "optim.label_smoothing=0"),
    *("hardware.device=cpu", "hardware.threads=1"),
    *("tracking.backend=none", f"train.epochs={NUM_EPOCHS}"),
)
"""What all trainings have in common."""

WARM_UP: tuple[Point, ...] = tuple(
    product((2,), (64,), (2,), (0.0, 0.2), (1e-3,), ("adam", "sgd"))
)
"""Trainings in which all loops are compiled, for which no recorded training shall pay."""

LINES = "trainings.jsonl"


class _Recorder(NoOpCallback):
    """Keeps the accuracy and the CPU seconds of each epoch.

    CPU time, because other processes on the machine hardly affect it. The time of the first
    epoch includes that of building the network.
    """

    def __init__(self) -> None:
        self.accuracies: list[float] = []
        self.seconds: list[float] = []
        self._began = time.process_time()

    def on_epoch(self, epoch: int, metrics: dict[str, float], *, is_last: bool) -> None:
        now = time.process_time()
        self.accuracies.append(round(metrics["dev/accuracy"], 5))
        self.seconds.append(round(now - self._began, 4))
        self._began = now


class Trainings:
    """The trainings of the points of the grid, on one corpus.

    To compose a config takes about as long as a short training, so one is composed for each
    optimizer, and the other keys are replaced in it.

    Args:
        overrides: what all trainings have in common, in addition to SETTINGS.
    """

    def __init__(self, overrides: Iterable[str]) -> None:
        register()
        common = [*SETTINGS, *overrides]
        self._configs = {name: compose([*common, f"optim={name}"]) for name in AXES["optim"]}

    def train(self, point: Point, seed: int) -> dict[str, Any]:
        """Train once; return the dev accuracy and the CPU seconds of each epoch.

        Raises:
            NonFiniteLossError: the training diverged; the grid must not contain such a point.
        """
        recorder = _Recorder()
        build_experiment(self._build_config(point, seed)).fit(NoCheckpoints(), recorder)
        return {"accuracies": recorder.accuracies, "seconds": recorder.seconds}

    def _build_config(self, point: Point, seed: int) -> RunConfig:
        values: dict[str, Any] = dict(zip(AXES, point, strict=True))
        config = self._configs[values.pop("optim")]
        for key, value in values.items():
            group, field = key.split(".")
            part = replace(getattr(config, group), **{field: value})
            config = replace(config, **{group: part})
        return replace(config, seed=seed)


@cache
def _start(overrides: tuple[str, ...]) -> Trainings:
    """Return the trainings of this process, whose loops have been compiled."""
    trainings = Trainings(overrides)
    for point in WARM_UP:
        trainings.train(point, 0)
    return trainings


def _train(overrides: tuple[str, ...], numbered: tuple[int, Point]) -> dict[str, Any]:
    seed, point = numbered
    return _start(overrides).train(point, seed)


def record(corpus: str, folder: Path, num_utterances: int, num_processes: int = 1) -> None:
    """Train all points that FOLDER/trainings.jsonl does not contain yet.

    Args:
        corpus: a folder of HW1P2's files.
        num_utterances: how many utterances of train, and of dev, are used.
        num_processes: trainings at the same time, each of which uses one thread.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = read_lines(folder)
    (folder / LINES).write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = {line["point"] for line in lines}
    # Each point has a seed of its own, so that neighbors have independent noise.
    points = list_points()
    missing = [
        (seed, point)
        for seed, point in enumerate(points)
        if " ".join(name_point(point)) not in done
    ]
    overrides = (
        *(f"data.root={corpus}", f"data.max_utterances={num_utterances}"),
        f"outputs={folder.absolute()}",
    )
    with (folder / LINES).open("a", encoding="utf-8") as file:
        results = map_in_processes(partial(_train, overrides), missing, num_processes)
        for (seed, point), result in zip(missing, results, strict=True):
            name = " ".join(name_point(point))
            file.write(json.dumps({"point": name, **result}) + "\n")
            file.flush()
            print(f"{seed + 1}/{len(points)} {name}: {result['accuracies'][-1:]}", flush=True)


def read_lines(folder: Path) -> list[dict[str, Any]]:
    """Return the recorded trainings, without a last line that was not written completely."""
    path = folder / LINES
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def write_table(folder: Path) -> Path:
    """Write the table of all recorded trainings, and return its path.

    Raises:
        ValueError: the recorded points do not form a grid.
    """
    lines = {line["point"]: line for line in read_lines(folder)}
    points = [point for point in list_points() if " ".join(name_point(point)) in lines]
    axes = _list_levels(points)
    shape = [len(levels) for levels in axes.values()]
    if len(points) != np.prod(shape):
        raise ValueError(f"{len(points)} trainings are no grid of {shape} levels")
    accuracy = np.full((*shape, NUM_EPOCHS), np.nan, np.float32)
    seconds = np.full((*shape, NUM_EPOCHS), np.nan, np.float32)
    for point in points:
        line = lines[" ".join(name_point(point))]
        index = tuple(levels.index(v) for levels, v in zip(axes.values(), point, strict=True))
        accuracy[index], seconds[index] = line["accuracies"], line["seconds"]
    path = folder / TABLE
    np.savez_compressed(path, axes=json.dumps(axes), accuracy=accuracy, seconds=seconds)
    return path


def _list_levels(points: list[Point]) -> dict[str, list[float | str]]:
    """Return the levels of each key that occur, in the order of AXES."""
    columns = dict(zip(AXES, zip(*points, strict=True), strict=True))
    return {key: [v for v in levels if v in columns[key]] for key, levels in AXES.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Record what is missing, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m framesweep.bench.search.record")
    parser.add_argument("corpus", metavar="CORPUS", help="a folder of HW1P2's files")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where the table appears")
    parser.add_argument(
        "--utterances",
        metavar="N",
        type=int,
        default=200,
        help="how many of train and of dev",
    )
    parser.add_argument(
        "--processes", metavar="N", type=int, default=1, help="trainings at the same time"
    )
    chosen = parser.parse_args(arguments)
    record(chosen.corpus, chosen.folder, chosen.utterances, chosen.processes)
    print(write_table(chosen.folder))


if __name__ == "__main__":
    main()
