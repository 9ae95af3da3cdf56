"""`kill -9` at random moments: what is resumed ends as if nothing had happened.

A run, or a sweep, is killed and started again until it ends by itself; then all that it left is
compared with what one left that nobody killed, and the next begins in an empty folder.
"""

import contextlib
import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import torch

from e2e.conftest import Shell
from faults.outcome import Outcome

TRAINING = [
    "train.checkpoint_minutes=1e-6",
    "model.dropout=0.3",
    "optim.schedule=cosine",
]
LONGEST = 300.0


class Run:
    """A run that checkpoints at every step."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.outputs = shell.folder / "outputs"
        self.directory = self.outputs / "runs" / "today" / "now"
        self._new = [*shell.small, *TRAINING, "train.epochs=24"]
        self._new.append(f"hydra.run.dir={self.directory}")

    def command(self) -> list[str]:
        begun = (self.directory / "config.yaml").exists()
        return [f"resume={self.directory}"] if begun else self._new

    def kill(self, process: subprocess.Popen[str], chance: random.Random) -> str:
        checkpoints = self.directory / "checkpoints"
        begun = (checkpoints / "last.pt").exists()
        ended = (self.directory / "model").exists()
        process.kill()
        return "after training" if ended else "in training" if begun else "before training"

    def remains(self) -> Any:
        """Weights, resume state and metrics; the status of MLflow's runs."""
        statuses, metrics = _tracked(self.outputs / "mlflow.db")
        return {
            "weights": _weights(self.directory),
            "state": _state(self.directory),
            "statuses": statuses,
            "metrics": metrics,
        }


class Sweep:
    """A grid of four trials over two workers."""

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
        return self._command

    def kill(self, process: subprocess.Popen[str], chance: random.Random) -> str:
        """Kills the sweeper, a worker, or all of them at once."""
        path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        workers = [int(pid) for pid in path.read_text().split()] if path.exists() else []
        whom = chance.choice(["sweeper", "worker", "all"]) if workers else "sweeper"
        if whom != "worker":
            process.kill()
        for pid in {"worker": workers[:1], "all": workers}.get(whom, []):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return {"sweeper": "the sweeper", "worker": "a worker"}.get(whom, "all at once")

    def remains(self) -> Any:
        """By params: how each trial ended, its value, steps and weights."""
        storage = f"sqlite:///{self.outputs}/studies.db"
        study = optuna.load_study(study_name=self.STUDY, storage=storage)
        folder = self.outputs / "sweeps" / self.STUDY
        trials = sorted(
            (
                *(str(sorted(trial.params.items())), trial.state.name, trial.values),
                *(trial.intermediate_values, _weights(folder / str(trial.number))),
            )
            for trial in study.trials
        )
        return {"trials": trials}


def run_kills(
    kind: type[Run] | type[Sweep], corpus: Path, scratch: Path, count: int, seed: int
) -> Outcome:
    """Kills `count` times at moments drawn with `seed`, and compares every end.

    Args:
        kind: what to kill.
        scratch: an empty folder.
    """
    outcome = Outcome(f"kill -9 of a {kind.__name__.lower()}")
    chance = random.Random(seed)
    began = time.monotonic()
    whole = _victim(kind, corpus, scratch / "whole")
    _go_on(whole, None, chance)
    seconds = time.monotonic() - began
    expected = whole.remains()
    moments: Counter[str] = Counter()
    rounds = 0
    while outcome.tried < count:
        rounds += 1
        victim = _victim(kind, corpus, scratch / str(rounds))
        kills = 0
        wait: float | None = chance.uniform(0, seconds)
        while (moment := _go_on(victim, wait, chance)) is not None:
            moments[moment] += 1
            kills += 1
            left = count - outcome.tried - kills
            wait = chance.uniform(0, seconds) if left > 0 else None
        outcome.add(kills, _difference(victim.remains(), expected))
    outcome.note = f"{rounds} {kind.__name__.lower()}s; " + ", ".join(
        f"{number} {moment}" for moment, number in moments.most_common()
    )
    return outcome


def _victim(kind: type[Run] | type[Sweep], corpus: Path, folder: Path) -> Run | Sweep:
    folder.mkdir()
    return kind(Shell(folder, corpus))


def _go_on(victim: Run | Sweep, wait: float | None, chance: random.Random) -> str | None:
    """Starts or resumes; kills after `wait` seconds and tells what died, else gives None.

    Raises:
        RuntimeError: it ended by itself, and badly.
    """
    log = victim.shell.folder / "console.log"
    with log.open("a") as console:
        process = victim.shell.start(*victim.command(), stdout=console, stderr=console)
        moment = None
        try:
            code = process.wait(LONGEST if wait is None else wait)
        except subprocess.TimeoutExpired:
            if wait is None:
                process.kill()
                raise
            moment = victim.kill(process, chance)
            code = process.wait(LONGEST)
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"{log}: exit code {code}: {log.read_text()[-2000:]}")
    return moment


def _weights(directory: Path) -> str:
    path = directory / "checkpoints" / "best.safetensors"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _state(directory: Path) -> dict[str, str]:
    """A digest of every tensor that training goes on from."""
    path = directory / "checkpoints" / "last.pt"
    state = torch.load(path, map_location="cpu", weights_only=True)
    state["progress"] = {
        key: value for key, value in state["progress"].items() if "second" not in key
    }
    for metrics in state["progress"]["history"]:
        metrics.pop("train/frames_per_second", None)
    found: dict[str, str] = {}

    def visit(prefix: str, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            content = value.contiguous().view(torch.uint8) if value.ndim else value
            found[prefix] = hashlib.sha256(content.numpy().tobytes()).hexdigest()
        elif isinstance(value, dict | list | tuple):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, child in items:
                visit(f"{prefix}.{key}", child)
        else:
            found[prefix] = repr(value)

    visit("", state)
    return found


def _tracked(database: Path) -> tuple[Counter[str], list[tuple[str, int, float]]]:
    """How many of MLflow's runs have each status, and every metric but the speeds."""
    with sqlite3.connect(database) as connection:
        statuses = Counter(row[0] for row in connection.execute("select status from runs"))
        query = "select key, step, value from metrics order by key, step, value"
        rows = connection.execute(query).fetchall()
        return statuses, [row for row in rows if "second" not in row[0]]


def _difference(found: Any, expected: Any) -> str:
    """Names the parts that differ; empty where none does."""
    return ", ".join(
        f"{part}: {str(found[part])[:300]} instead of {str(expected[part])[:300]}"
        for part in expected
        if found[part] != expected[part]
    )
