"""The rounds of a soak test, each with a sweep and a run of its own."""

import random
import re
import time
from collections import Counter
from pathlib import Path

from e2e.conftest import Shell
from faults.partition import INSIDE
from faults.soak import checker
from faults.soak.scene import KILLED, Scene, Victim
from faults.soak.storm import Storm
from faults.soak.weather import forecast, strike

TRAINING = ("train.checkpoint_minutes=0.005", "model.dropout=0.3", "optim.schedule=cosine")
"""A checkpoint each 0.3 s, so that most kills find one within an epoch."""
NUM_SWEEPERS, NUM_WORKERS = 2, 2
LONGEST_FAULT, LONGEST_PAUSE = 12.0, 20.0
"""Seconds; a trial counts as abandoned after four without a heartbeat."""
RUN_EPOCHS = 80
"""So many that the single run takes about as long as the sweep."""
CALM_SECONDS = 3000.0
"""How long a round may take to end after the last fault."""


def build_sweep(shell: Shell, study: str) -> list[str]:
    """Return the arguments of a grid of four trials."""
    small = [a for a in shell.small if not a.startswith("train.epochs")]
    return [
        *["-m", "sweep=bare", *small, *TRAINING, "train.epochs=5"],
        *["hydra/sweeper/sampler=grid", "hydra/sweeper/pruner=none", "sweep.retries=1000"],
        *[f"hydra.sweeper.study_name={study}", "hydra.sweeper.n_trials=4"],
        *[f"hydra.sweeper.n_jobs={NUM_WORKERS}", "hydra.sweeper.heartbeat=2"],
        *["data.context=choice(1,2)", "seed=choice(0,1)", "tracking.log_model=false"],
    ]


def build_run(shell: Shell, directory: Path) -> list[str]:
    """Return the arguments that start a run, or resume it."""
    if (directory / "config.yaml").exists():
        return [f"resume={directory}"]
    return [*shell.small, *TRAINING, f"train.epochs={RUN_EPOCHS}", f"hydra.run.dir={directory}"]


class Soak:
    """A storm over rounds, and what was found.

    Args:
        scene: where it rages.
        calm: a new folder for what nothing disturbs, or that of an earlier test.
        corpus: the corpus of all runs.
        seed: determines the order of the faults.

    Attributes:
        happened: how often each fault happened.
        happened_to_runs: how often it happened while a single run trained.
        num_restarts: how often a command was started again because it had been killed (True),
            or because it had ended with an error (False).
        num_refused: records that were put aside.
        failures: a line for each thing that was lost, doubled or different.
    """

    def __init__(self, scene: Scene, calm: Path, corpus: Path, seed: int) -> None:
        self.scene = scene
        self.storm = Storm(scene, random.Random(f"places {seed}"))
        self._seed = seed
        self.num_restarts: Counter[bool] = Counter()
        self.happened: Counter[str] = Counter()
        self.happened_to_runs: Counter[str] = Counter()
        self.failures: list[str] = []
        self.num_trials = self.num_runs = self.num_refused = 0
        self._studies = scene.postgres.url("studies")
        self._tracking = scene.postgres.url("mlflow")
        self._expected = _run_calmly(calm, corpus)

    def run(self, seconds: float, only: str = "") -> None:
        """Disturb rounds for at least `seconds`, and check each of them.

        Args:
            seconds: how long to disturb.
            only: a regular expression that the names of the faults contain.
        """
        names = [name for name in self.storm.faults if re.search(only, name)]
        number, until = 0, time.monotonic() + seconds
        pause = min(LONGEST_PAUSE, seconds / 6)
        gusts = forecast(names, self._seed, LONGEST_FAULT, pause)
        while number == 0 or time.monotonic() < until:
            self._begin(number)
            while time.monotonic() < until and not self.scene.is_done:
                is_training = not self.scene.victims[-1].is_done  # the single run
                happened = strike(self.storm, next(gusts))
                print(time.strftime("%H:%M:%S"), ", ".join(happened) or "-", flush=True)
                self.happened.update(happened)
                self.happened_to_runs.update(happened if is_training else [])
            self._end(number)
            number += 1
        self.failures += self.storm.failures

    def _begin(self, number: int) -> None:
        shell, directory = self.scene.shell, self._directory(number)
        sweep = [
            *build_sweep(shell, f"s{number}"),
            f"hydra.sweeper.storage={self._studies}",
            f"tracking.uri={self.scene.server.uri}",
        ]
        self.scene.victims = [
            Victim(shell, f"sweeper-{number}-{index}", lambda: sweep)
            for index in range(NUM_SWEEPERS)
        ]
        uri = f"tracking.uri={self.scene.server.uri}"
        run = Victim(shell, directory.name, lambda: [*build_run(shell, directory), uri])
        self.scene.victims.append(run)
        self.scene.tend()

    def _directory(self, number: int) -> Path:
        return self.scene.disk / "runs" / "soak" / f"run-{number}"

    def _end(self, number: int) -> None:
        """Wait until the round has ended by itself, and compare its results."""
        end = time.monotonic() + CALM_SECONDS
        while not self.scene.is_done:
            self.scene.tend()
            time.sleep(0.2)
            if time.monotonic() > end:
                names = [v.name for v in self.scene.victims if not v.is_done]
                raise RuntimeError(f"{', '.join(names)} did not end; see {self.scene.disk}")
        for victim in self.scene.victims:
            victim.repeat_if_advised()
            self.failures += filter(None, [victim.find_failure()])
            for code, count in victim.ends.items():
                if code != 0:
                    self.num_restarts[code == KILLED] += count
        # What could not be sent before a process ended is sent by this command.
        self.scene.shell.framesweep("sync", "--uri", self.scene.server.uri)
        self._check(number)

    def _check(self, number: int) -> None:
        disk = self.scene.disk
        tracked = checker.read_tracked_runs(self._tracking, self.scene.server.folder)
        sweep = checker.read_sweep(
            self._studies, f"s{number}", disk / "sweeps" / f"s{number}", tracked
        )
        run = checker.read_run(self._directory(number), tracked)
        expected_sweep, expected_run = self._expected
        self.failures += checker.find_differences(f"sweep {number}", sweep, expected_sweep)
        self.failures += checker.find_differences(f"run {number}", run, expected_run)
        self.failures += checker.find_waiting(disk)
        self.num_refused = checker.count_refused(disk)
        if self.num_refused > (damaged := self.storm.num_corrupted_outboxes):
            self.failures.append(f"{self.num_refused} records refused, {damaged} lines damaged")
        if any(run.num_repeated for run in tracked):
            twice = [(run.tags.get("trial"), run.num_repeated) for run in tracked]
            self.failures.append(f"metrics were logged twice, by trial: {twice}")
        self.num_trials += len(sweep) - 1  # without the parent
        self.num_runs += 1


def _run_calmly(folder: Path, corpus: Path) -> tuple[dict, dict]:
    """Run the sweep and the run without any fault, and return their results.

    Those of an earlier test in the same folder are used again.
    """
    outputs = folder / "outputs"
    directory = outputs / "runs" / "soak" / "calm"
    if not (done := folder / "done").exists():
        folder.mkdir(parents=True)
        shell = Shell(folder, corpus)
        shell.environment.pop(INSIDE, None)
        shell.train(*build_sweep(shell, "calm"))
        shell.train(*build_run(shell, directory))
        done.touch()
    tracked = checker.read_tracked_runs(f"sqlite:///{outputs}/mlflow.db", outputs / "artifacts")
    storage = f"sqlite:///{outputs}/studies.db"
    sweep = checker.read_sweep(storage, "calm", outputs / "sweeps" / "calm", tracked)
    return sweep, checker.read_run(directory, tracked)
