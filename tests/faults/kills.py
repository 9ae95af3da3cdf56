"""`kill -9` at random moments: what is resumed ends as if nothing had happened.

A run or a sweep is killed and resumed, again and again, until it ends by itself. Everything
that it has written is then compared with what an undisturbed one has written, bit by bit, and
the next one starts in a folder of its own.

Nine of ten processes are forks of one that has imported all modules, and leave the figures of
the report empty, so that the CPU's time is spent on what a kill can damage (see
`warm_processes`). The tenth is started from nothing.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna

from e2e.conftest import REPOSITORY, Shell
from faults import moments
from faults.fault_result import FaultResult
from faults.kill_record import KillRecord
from faults.results import (
    describe_difference,
    hash_state,
    hash_weights,
    read_tracked,
)

TRAINING = [
    "train.checkpoint_minutes=1e-6",
    "model.dropout=0.3",
    "optim.schedule=cosine",
]
COLD = 10
"""One process in so many is started from nothing."""

FEW, MANY = 4, 16
"""Outside of this range of kills per victim, the moments are adapted."""

LATER = 1.3
"""By how much the moments become later where there were too many kills."""


class KilledRun:
    """A run that writes a checkpoint at every step."""

    name = "run"

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.outputs = shell.folder / "outputs"
        self.directory = self.outputs / "runs" / "today" / "now"
        self._new = [*shell.small, *TRAINING, "train.epochs=4"]
        self._new.append(f"hydra.run.dir={self.directory}")

    def command(self) -> list[str]:
        """Return the arguments that start the run, or resume it."""
        started = (self.directory / "config.yaml").exists()
        return [f"resume={self.directory}"] if started else self._new

    def clock(self, pid: int) -> Callable[[], float]:
        """Return a clock of the CPU time of the run."""
        return lambda: moments.read_cpu_seconds(pid)

    def is_training(self) -> bool:
        """Return whether there is a checkpoint."""
        return (self.directory / "checkpoints" / "last.pt").exists()

    def kill(self, process: "subprocess.Popen[str]", rng: random.Random) -> str:
        """Kill the run, and return in which phase it was."""
        is_training = self.is_training()
        has_trained = (self.directory / "report").exists()
        process.kill()
        if has_trained:
            return "after training"
        return "in training" if is_training else "before training"

    def read_result(self) -> Any:
        """Return weights, resume state and metrics, and the status of MLflow's runs."""
        statuses, metrics = read_tracked(self.outputs / "mlflow.db")
        return {
            "weights": hash_weights(self.directory),
            "state": hash_state(self.directory),
            "statuses": statuses,
            "metrics": metrics,
        }


class KilledSweep:
    """A grid search of four trials with two workers."""

    name = "sweep"

    STUDY = "kills"

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.outputs = shell.folder / "outputs"
        small = [a for a in shell.small if not a.startswith("train.epochs")]
        self._command = [
            *["-m", "sweep=bare", *small, *TRAINING, "train.epochs=3", "sweep.retries=100"],
            *["hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2", "tracking=none"],
            *["hydra/sweeper/sampler=grid", "hydra/sweeper/pruner=none"],
            f"hydra.sweeper.study_name={self.STUDY}",
            *["data.context=choice(1,2)", "seed=choice(0,1)"],
        ]

    def command(self) -> list[str]:
        """Return the arguments that start the sweep, and also resume it."""
        return self._command

    def clock(self, pid: int) -> Callable[[], float]:
        """Return a clock of the CPU time of the sweeper and its workers."""
        return moments.CpuClock(pid).read

    def is_training(self) -> bool:
        """Return whether there is a checkpoint of any trial."""
        return any(self.outputs.glob("sweeps/*/*/checkpoints/last.pt"))

    def kill(self, process: "subprocess.Popen[str]", rng: random.Random) -> str:
        """Kill the sweeper, a worker, or all of them, and return which."""
        # The process from which workers are forked is in the group of the sweeper.
        workers = [pid for pid in moments.list_children(process.pid) if is_group_leader(pid)]
        target = rng.choice(["sweeper", "worker", "worker", "all"]) if workers else "sweeper"
        if target != "worker":
            process.kill()
        one = rng.sample(workers, min(1, len(workers)))
        for pid in {"worker": one, "all": workers}.get(target, []):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return {"sweeper": "the sweeper", "worker": "a worker"}.get(target, "all processes")

    def read_result(self) -> Any:
        """Return, ordered by params, each trial's state, values, reports and weights."""
        storage = f"sqlite:///{self.outputs}/studies.db"
        study = optuna.load_study(study_name=self.STUDY, storage=storage)
        folder = self.outputs / "sweeps" / self.STUDY
        trials = sorted(
            (
                *(str(sorted(trial.params.items())), trial.state.name, trial.values),
                *(trial.intermediate_values, hash_weights(folder / str(trial.number))),
            )
            for trial in study.trials
        )
        return {"trials": trials}


Kind = type[KilledRun] | type[KilledSweep]
Victim = KilledRun | KilledSweep


def is_group_leader(pid: int) -> bool:
    """Return whether a process has a group of its own, as workers have."""
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


class KillTest:
    """Kills one kind of victim, and compares each result with an undisturbed one.

    Args:
        kind: what to kill.
        corpus: what it is trained on.
        scratch: an empty folder.
        seed: seed of the random moments.
        record: the victims of earlier calls, and where this one adds its own.
    """

    def __init__(
        self, kind: Kind, corpus: Path, scratch: Path, seed: int, record: KillRecord
    ) -> None:
        self._kind, self._corpus, self._scratch = kind, corpus, scratch
        self._seed, self._record = seed, record
        self._durations: dict[bool, moments.Duration] = {}
        self._scale = 1.0

    def run(self, count: int) -> FaultResult:
        """Kill until there have been `count` kills, including the recorded ones."""
        expected = self._measure_undisturbed()
        while (left := count - self._record.num_kills) > 0:
            number = self._record.num_victims
            rng = random.Random(f"{self._seed}/{self._kind.name}/{number}")
            victim = self._create(is_empty=number % COLD == 0)
            kills: Counter[str] = Counter()
            try:
                self._kill_until_end(victim, rng, left, kills)
                failure = describe_difference(victim.read_result(), expected)
            except Exception as error:  # whatever it is, the victims that follow are tried too
                failure = repr(error)
            self._record.add(kills, failure)
            self._adapt(kills.total())
            print(self._record.describe_progress(count), file=sys.stderr, flush=True)
            if failure:
                victim.shell.folder.rename(self._scratch / f"different-{number}")
        return self._record.summarize()

    def _adapt(self, num_kills: int) -> None:
        """Adapt the moments so that there are a handful of kills before a victim ends.

        On a busy machine, whose caches other processes fill, everything takes more CPU time.
        """
        self._scale *= 0.7 if num_kills < FEW else LATER if num_kills > MANY else 1.0

    def _measure_undisturbed(self) -> Any:
        """Measure the CPU time of one without kills, warm and cold, and return its result."""
        for is_cold in (True, False):
            victim = self._create(is_empty=is_cold)
            self._start(victim, is_cold, self._read_until_end(is_cold))
            result = victim.read_result()
            if is_cold:
                expected = result
                self._save_template(victim)
        cold, warm = self._durations[True], self._durations[False]
        print(
            f"undisturbed {self._kind.name}: {cold.total:.1f} s of CPU from nothing, "
            f"{warm.total:.1f} s with all modules imported, {warm.start:.1f} s until it trains",
            file=sys.stderr,
            flush=True,
        )
        if difference := describe_difference(result, expected):
            raise RuntimeError(f"two undisturbed {self._kind.name}s differ: {difference}")
        return expected

    def _save_template(self, victim: Victim) -> None:
        """Keep the prepared corpus, and an empty database, for the victims that follow."""
        template = self._scratch / "template"
        cache = victim.outputs / "cache"
        kept = cache.rename(self._scratch / "cache")
        shutil.rmtree(victim.outputs)
        victim.outputs.mkdir()
        kept.rename(cache)
        if self._kind is KilledRun:
            from framesweep.tracking import mlflow_store

            uri = mlflow_store.resolve_tracking_uri(None, victim.outputs)
            mlflow_store.connect(uri, victim.outputs)
        victim.outputs.rename(template)

    def _create(self, *, is_empty: bool) -> Victim:
        # All victims have the same path, because that of the artifacts is in the database.
        folder = self._scratch / "victim"
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        if not is_empty:
            shutil.copytree(self._scratch / "template", folder / "outputs")
        return self._kind(Shell(folder, self._corpus))

    def _read_until_end(self, is_cold: bool) -> Callable[[Victim, Any], None]:
        def watch(victim: Victim, process: Any) -> None:
            clock, duration = victim.clock(process.pid), moments.Duration()
            self._durations[is_cold] = duration
            while process.poll() is None:
                duration.total = clock()
                if not victim.is_training():
                    duration.start = duration.total
                time.sleep(20 * moments.POLL_SECONDS)

        return watch

    def _kill_until_end(
        self, victim: Victim, rng: random.Random, left: int, kills: Counter[str]
    ) -> None:
        """Start, kill and resume a victim until it ends by itself, and count the kills."""
        has_ended = False

        def attack(victim: Victim, process: Any) -> None:
            clock, has_started = victim.clock(process.pid), False
            while process.poll() is None:
                # A victim that has to create its database takes longer than was measured.
                later = LATER ** (kills.total() // MANY)
                duration = self._durations[is_cold].draw(rng, has_started=has_started)
                moment = clock() + self._scale * later * duration
                limit = moment if kills.total() < left else None
                if moments.wait_until(process, clock, limit):
                    kills[victim.kill(process, rng)] += 1
                    has_started = True
                    if process.returncode is None and self._kind is KilledRun:
                        process.wait(moments.LONGEST_SECONDS)

        while not has_ended:
            is_cold = rng.randrange(COLD) == 0
            has_ended = self._start(victim, is_cold, attack) == 0

    def _start(
        self, victim: Victim, is_cold: bool, during: Callable[[Victim, Any], None]
    ) -> int:
        """Start or resume a victim, call `during` with its process, and return its exit code.

        Raises:
            RuntimeError: it ended by itself with an error.
        """
        log = victim.shell.folder / "console.log"
        with log.open("a") as console:
            streams: Any = {"stdout": console, "stderr": console}
            if is_cold:
                process: Any = subprocess.Popen(
                    [sys.executable, str(REPOSITORY / "train.py"), *victim.command()],
                    cwd=victim.shell.folder,
                    env=victim.shell.environment,
                    text=True,
                    **streams,
                )
            else:
                process = victim.shell.start(*victim.command(), **streams, warm_workers=True)
            try:
                during(victim, process)
                code: int = process.wait(moments.LONGEST_SECONDS)
            finally:
                process.kill()
        if code not in (0, -signal.SIGKILL) or "Traceback" in log.read_text():
            raise RuntimeError(f"{log}: exit code {code}: {log.read_text()[-2000:]}")
        return code
