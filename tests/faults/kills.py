"""`kill -9` at random moments: what is resumed ends as if nothing had happened.

A run or a sweep is killed and resumed, again and again, until it ends by itself. Everything
that it has written is then compared with what an undisturbed one has written, bit by bit, and
the next one starts in an empty folder.
"""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import optuna

from e2e.conftest import Shell
from faults.fault_result import FaultResult
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
LONGEST_SECONDS = 300.0
"""How long an undisturbed run or sweep may take."""


class KilledRun:
    """A run that writes a checkpoint at every step."""

    name = "run"

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.outputs = shell.folder / "outputs"
        self.directory = self.outputs / "runs" / "today" / "now"
        self._new = [*shell.small, *TRAINING, "train.epochs=24"]
        self._new.append(f"hydra.run.dir={self.directory}")

    def command(self) -> list[str]:
        """Return the arguments that start the run, or resume it."""
        started = (self.directory / "config.yaml").exists()
        return [f"resume={self.directory}"] if started else self._new

    def kill(self, process: subprocess.Popen[str], rng: random.Random) -> str:
        """Kill the run, and return in which phase it was."""
        checkpoints = self.directory / "checkpoints"
        is_training = (checkpoints / "last.pt").exists()
        has_trained = (self.directory / "model").exists()
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
            *["-m", "sweep=bare", *small, *TRAINING, "train.epochs=6", "sweep.retries=100"],
            *["hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2", "tracking=none"],
            *["hydra/sweeper/sampler=grid", "hydra/sweeper/pruner=none"],
            f"hydra.sweeper.study_name={self.STUDY}",
            *["data.context=choice(1,2)", "seed=choice(0,1)"],
        ]

    def command(self) -> list[str]:
        """Return the arguments that start the sweep, and also resume it."""
        return self._command

    def kill(self, process: subprocess.Popen[str], rng: random.Random) -> str:
        """Kill the sweeper, a worker, or all of them, and return which."""
        path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        children = [int(pid) for pid in path.read_text().split()] if path.exists() else []
        # The process from which workers are forked is in the group of the sweeper.
        workers = [pid for pid in children if is_group_leader(pid)]
        target = rng.choice(["sweeper", "worker", "all"]) if workers else "sweeper"
        if target != "worker":
            process.kill()
        for pid in {"worker": workers[:1], "all": workers}.get(target, []):
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


def is_group_leader(pid: int) -> bool:
    """Return whether a process has a group of its own, as workers have."""
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


def run_kills(
    kind: type[KilledRun] | type[KilledSweep],
    corpus: Path,
    scratch: Path,
    count: int,
    seed: int,
) -> FaultResult:
    """Kill `count` times at random moments, and compare every result with an undisturbed one.

    Args:
        kind: what to kill.
        scratch: an empty folder.
        seed: seed of the random moments.
    """
    result = FaultResult(f"kill -9 of a {kind.name}")
    rng = random.Random(seed)
    started = time.monotonic()
    undisturbed = _create_victim(kind, corpus, scratch / "undisturbed")
    _start_or_resume(undisturbed, None, rng)
    seconds = time.monotonic() - started
    expected = undisturbed.read_result()
    moments: Counter[str] = Counter()
    rounds = 0
    while result.tried < count:
        rounds += 1
        victim = _create_victim(kind, corpus, scratch / str(rounds))
        kills = 0
        wait: float | None = rng.uniform(0, seconds)
        while (moment := _start_or_resume(victim, wait, rng)) is not None:
            moments[moment] += 1
            kills += 1
            left = count - result.tried - kills
            wait = rng.uniform(0, seconds) if left > 0 else None
        result.add(kills, describe_difference(victim.read_result(), expected))
    result.note = f"{rounds} {kind.name}s; " + ", ".join(
        f"{number} {moment}" for moment, number in moments.most_common()
    )
    return result


def _create_victim(
    kind: type[KilledRun] | type[KilledSweep], corpus: Path, folder: Path
) -> KilledRun | KilledSweep:
    folder.mkdir()
    return kind(Shell(folder, corpus))


def _start_or_resume(
    victim: KilledRun | KilledSweep, wait: float | None, rng: random.Random
) -> str | None:
    """Start or resume the victim, and kill it after `wait` seconds unless that is None.

    Return what was killed, or None if it ended by itself.

    Raises:
        RuntimeError: it ended by itself with an error.
    """
    log = victim.shell.folder / "console.log"
    with log.open("a") as console:
        process = victim.shell.start(
            *victim.command(), stdout=console, stderr=console, warm_workers=True
        )
        moment = None
        try:
            code = process.wait(LONGEST_SECONDS if wait is None else wait)
        except subprocess.TimeoutExpired:
            if wait is None:
                process.kill()
                raise
            moment = victim.kill(process, rng)
            code = process.wait(LONGEST_SECONDS)
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"{log}: exit code {code}: {log.read_text()[-2000:]}")
    return moment
