"""Injects faults and load, and prints a table of what was tried and what was survived.

    python -m faults [--kills 50] [--trials 2000] [--seed 0] [--record FILE] [NAME ...]

The exit code is 1 if anything was lost.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from faults.fault_result import FaultResult
from faults.kill_record import KillRecord
from faults.kills import KilledRun, KilledSweep, KillTest, Kind
from faults.load import run_load
from faults.partition import run_partition
from faults.trials import run_trials
from servers import postgres
from toy import ToyCorpus, write_hw1p2

LENGTHS = {"train": (300, 200, 400), "dev": (150, 100), "test": (80, 40)}


def kills(kind: Kind, folder: Path, options: argparse.Namespace) -> FaultResult:
    """Kill runs or sweeps on a small corpus with `kill -9`."""
    corpus = write_hw1p2(folder / "corpus", ToyCorpus(LENGTHS))
    record = KillRecord(kind.name, options.seed, options.record)
    return KillTest(kind, corpus, folder, options.seed, record).run(options.kills)


def sqlite(folder: Path) -> FaultResult:
    """Let sixteen concurrent runs log to one file."""
    return run_load("SQLite", f"sqlite:///{folder}/mlflow.db", folder, 16, 16)


def postgresql(folder: Path) -> FaultResult:
    """Let sixty-four concurrent runs log to a database server."""
    with postgres(max_connections=500) as server:
        return run_load("PostgreSQL", server.create("mlflow"), folder, 64, 8)


PARTITIONS: dict[str, tuple[str, int]] = {
    "drop30": ("drop", 30),
    "drop100": ("drop", 100),
    "drop300": ("drop", 300),
    "loss": ("loss", 0),
    "delay": ("delay", 0),
}
"""Faults of the network: which one, and for how many seconds."""


def partition(folder: Path, name: str) -> FaultResult:
    """Disturb the network between a sweep and its database."""
    return run_partition(folder, *PARTITIONS[name])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--record", type=Path, help="where to note each victim, to continue from there"
    )
    arguments = parser.parse_known_args()[0]
    faults: dict[str, Callable[[Path], FaultResult]] = {
        "run": lambda folder: kills(KilledRun, folder, arguments),
        "sweep": lambda folder: kills(KilledSweep, folder, arguments),
        "sqlite": sqlite,
        "postgresql": postgresql,
        **{name: partial(partition, name=name) for name in PARTITIONS},
        "trials": lambda folder: run_trials(folder, arguments.trials),
    }
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(faults))
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(faults):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    survived = True
    for name in arguments.names or faults:
        folder = Path(tempfile.mkdtemp())
        result = faults[name](folder)
        if not result.failures:
            shutil.rmtree(folder)
        print(
            f"{result.name:44} {result.tried:7,} tried {result.survived:7,} survived  "
            f"{result.note}",
            flush=True,
        )
        for failure in result.failures:
            print(f"    {folder}: {failure}", file=sys.stderr, flush=True)
        survived &= result.survived == result.tried and not result.failures
    return 0 if survived else 1


if __name__ == "__main__":
    sys.exit(main())
