"""Tries faults and loads, and prints a table of what was tried and what was survived.

    python -m faults [--kills 50] [--trials 2000] [--seed 0] [NAME ...]

The exit code is 1 where anything was lost.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from faults.kills import Run, Sweep, run_kills
from faults.load import run_load
from faults.outcome import Outcome
from faults.trials import run_trials
from servers import postgres
from toy import ToyCorpus, write_hw1p2

LENGTHS = {"train": (300, 200, 400), "dev": (150, 100), "test": (80, 40)}


def kills(kind: type[Run] | type[Sweep], folder: Path, count: int, seed: int) -> Outcome:
    """`kill -9` on a small corpus."""
    return run_kills(
        kind, write_hw1p2(folder / "corpus", ToyCorpus(LENGTHS)), folder, count, seed
    )


def sqlite(folder: Path) -> Outcome:
    """Sixteen runs at once on one file."""
    return run_load("SQLite", f"sqlite:///{folder}/mlflow.db", folder, 16, 16)


def postgresql(folder: Path) -> Outcome:
    """Sixty-four runs at once on a server."""
    with postgres(max_connections=500) as server:
        return run_load("PostgreSQL", server.create("mlflow"), folder, 64, 8)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_known_args()[0]
    faults: dict[str, Callable[[Path], Outcome]] = {
        "run": lambda folder: kills(Run, folder, arguments.kills, arguments.seed),
        "sweep": lambda folder: kills(Sweep, folder, arguments.kills, arguments.seed),
        "sqlite": sqlite,
        "postgresql": postgresql,
        "trials": lambda folder: run_trials(folder, arguments.trials),
    }
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(faults))
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(faults):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    survived = True
    for name in arguments.names or faults:
        with tempfile.TemporaryDirectory() as folder:
            outcome = faults[name](Path(folder))
        print(
            f"{outcome.name:44} {outcome.tried:7,} tried {outcome.survived:7,} survived  "
            f"{outcome.note}",
            flush=True,
        )
        for failure in outcome.failures:
            print(f"    {failure}", file=sys.stderr, flush=True)
        survived &= outcome.survived == outcome.tried and not outcome.failures
    return 0 if survived else 1


if __name__ == "__main__":
    sys.exit(main())
