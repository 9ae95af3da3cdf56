"""Measure how a search loads PostgreSQL, with real sweepers and workers that train nothing.

    python tests/load.py --workers 2 8 32 64
    python tests/load.py --workers --crowd 10 100 1000 --ended 10000

The first command prints what one trial costs the database. The second prints what single calls
cost while so many trials are running and so many have ended. The first report of a process, at
step 1, reads the curves of all trials that have ended.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.pruners import BasePruner, MedianPruner
from optuna.samplers import TPESampler

from crowded_study import DIMENSIONS, STEPS, fill_study
from hydra_plugins.framesweep_sweeper import CurrentTrial
from hydra_plugins.framesweep_sweeper.config import FramesweepSweeperConf
from hydra_plugins.framesweep_sweeper.search._bounded_history import with_bound
from hydra_plugins.framesweep_sweeper.search._extrapolation import ExtrapolationPruner
from hydra_plugins.framesweep_sweeper.search._hyperband import QuickHyperbandPruner
from hydra_plugins.framesweep_sweeper.storage._lock import StorageLock
from hydra_plugins.framesweep_sweeper.storage._storage import open_storage
from hydra_plugins.framesweep_sweeper.storage._study_views import view_for_pruner
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._claim import Claim
from hydra_plugins.framesweep_sweeper.trials._claims import TrialQueue
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import JobOutcome
from servers import Postgres, postgres

APP = Path(__file__).with_name("sweep_app.py")
SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.max": 5000,
    "max_connections": 500,
}
PRUNERS = {
    "extrapolation": ExtrapolationPruner(),
    "median": MedianPruner(),
    "Hyperband": QuickHyperbandPruner(max_resource=STEPS),
}
COMPLETE = JobOutcome(_trial_attrs.COMPLETE, (0.5,))
OURS = "query NOT ILIKE '%pg_stat_%' AND query NOT ILIKE '%pg_database_size%'"


@dataclass
class Load:
    """The load on the database during one sweep."""

    statements: int
    milliseconds: float
    transactions: int
    rows_read: int
    rows_written: int
    bytes_kept: int
    connections: int = 0
    seconds: float = 0.0


def difference(before: list[float], after: list[float]) -> Load:
    """Return the load between two readings of the database's counters."""
    values: list[Any] = [new - old for new, old in zip(after, before, strict=True)]
    return Load(*values)


class ConnectionCounter:
    """Polls the number of connections until it is closed."""

    def __init__(self, server: Postgres, database: str) -> None:
        self._query = (server, database)
        self._closing = threading.Event()
        self.most = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        server, database = self._query
        statement = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'"
        while not self._closing.wait(0.5):
            self.most = max(self.most, server.query(statement)[0][0])

    def close(self) -> int:
        self._closing.set()
        self._thread.join()
        return self.most


def measure(server: Postgres, database: str, arguments: list[str], sweepers: int) -> Load:
    """Return the load of so many sweepers on one study in `database`."""
    optuna.storages.RDBStorage(server.url(database)).engine.dispose()  # creates the tables
    before = read_counters(server, database)
    counter, started = ConnectionCounter(server, database), time.monotonic()
    command = [sys.executable, str(APP), "-m", "hydra.sweeper.study_name=s", *arguments]
    command += [f"hydra.sweeper.storage={server.url(database)}"]
    with tempfile.TemporaryDirectory() as folder:
        running = [
            subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
            for _ in range(sweepers)
        ]
        codes = [process.wait() for process in running]
    assert not any(codes), codes
    seconds = time.monotonic() - started
    after = read_counters(server, database)
    load = difference(before, after)
    load.connections, load.seconds = counter.close(), seconds
    return load


def read_counters(server: Postgres, database: str) -> list[float]:
    """Return counts of statements, their milliseconds, transactions, rows and bytes."""
    chosen = f"dbid = (SELECT oid FROM pg_database WHERE datname = '{database}')"
    statements = server.query(
        f"SELECT coalesce(sum(calls), 0), coalesce(sum(total_exec_time), 0) "
        f"FROM pg_stat_statements WHERE {chosen} AND {OURS}"
    )[0]
    server.query("SELECT pg_stat_force_next_flush()")
    rest = server.query(
        "SELECT xact_commit + xact_rollback, tup_fetched, "
        "tup_inserted + tup_updated + tup_deleted, pg_database_size(datname) "
        f"FROM pg_stat_database WHERE datname = '{database}'"
    )[0]
    return [float(value) for value in (*statements, *rest)]


def measure_crowd(
    server: Postgres, database: str, running: int, ended: int
) -> list[tuple[str, float, Load]]:
    """Return the milliseconds of CPU here and the load there of single calls."""
    url = server.create(database)
    storage = open_storage(url, 60)
    fill_study(storage, "s", running, ended)
    study = optuna.load_study(study_name="s", storage=storage)
    learning = TPESampler(multivariate=True, group=True, constant_liar=True, seed=0)
    sampler = with_bound(lambda _: learning, FramesweepSweeperConf.max_history)
    queue = TrialQueue(study, storage, StorageLock(url), sampler, 1, 60)
    claims: list[Claim] = []

    def claim() -> None:
        claims.append(queue.claim(10**9))

    def suggest() -> None:
        for i in range(DIMENSIONS):
            claims[-1].trial.suggest_float(f"x{i}", 0, 1)

    calls: dict[str, Callable[[], object]] = {
        "claim": claim,
        "point of TPE": suggest,
        "search for a duplicate": lambda: queue.find_original(claims[-1]),
    }
    for call in calls.values():  # the first of a process reads all trials
        call()
    claim()  # so that the median below is that of other sweepers' trials, too
    for name, pruner in PRUNERS.items():
        calls |= make_reports(name, pruner, url, claims[-1])
    calls["end of a trial"] = lambda: queue.settle(claims[-1], COMPLETE)
    return [(name, *measure_call(call, server, database)) for name, call in calls.items()]


def make_reports(
    name: str, pruner: BasePruner, url: str, claim: Claim
) -> dict[str, Callable[[], object]]:
    """Return the reports of a worker process, which opens the study by itself."""
    storage = open_storage(url, 60)
    study = optuna.load_study(study_name="s", storage=view_for_pruner(storage), pruner=pruner)
    current = CurrentTrial(
        study_name="s",
        number=claim.number,
        attempt=1,
        is_resumed=False,
        _trial_id=claim.trial_id,
        _serial=claim.serial,
        _study=study,
        _storage=storage,
    )
    return {
        f"report, {name}, step {step}": partial(current.report, 2.0, step=step)
        for step in range(1, STEPS)
    }


def measure_call(
    call: Callable[[], object], server: Postgres, database: str
) -> tuple[float, Load]:
    before, started = read_counters(server, database), time.process_time()
    call()
    cpu = time.process_time() - started
    after = read_counters(server, database)
    return 1000 * cpu, difference(before, after)


def list_frequent_statements(server: Postgres, database: str, number: int) -> list[tuple]:
    """Return the most frequent statements: calls, rows, milliseconds, text."""
    return server.query(
        "SELECT calls, rows, round(total_exec_time::numeric, 1), "
        "left(regexp_replace(query, '\\s+', ' ', 'g'), 150) FROM pg_stat_statements "
        f"WHERE dbid = (SELECT oid FROM pg_database WHERE datname = '{database}') AND {OURS} "
        f"ORDER BY calls DESC LIMIT {number}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="*", default=[2, 8, 32, 64])
    parser.add_argument("--crowd", type=int, nargs="*", default=[], help="running trials")
    parser.add_argument("--ended", type=int, default=0, help="trials that have ended")
    parser.add_argument("--sweepers", type=int, default=0, help="0: one per eight workers")
    parser.add_argument("--trials", type=int, default=4, help="trials per worker")
    parser.add_argument("--epochs", type=int, default=10, help="reports per trial")
    parser.add_argument("--seconds", type=float, default=0.0, help="seconds per epoch")
    parser.add_argument("--dearest", type=int, default=0, help="number of statements to list")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with postgres(**SETTINGS) as server:
        server.query("CREATE EXTENSION pg_stat_statements")
        for running in options.crowd:
            database = f"crowd{running}"
            for name, cpu, load in measure_crowd(server, database, running, options.ended):
                print(
                    f"{running:>6} running: {name:28} {load.statements:4.0f} statements "
                    f"{load.milliseconds:7.1f} db-ms {load.rows_read:8.0f} rows read "
                    f"{cpu:7.1f} ms of CPU in the client",
                    flush=True,
                )
        if not options.workers:
            return
        print(f"{options.epochs} reports per trial; all but the last two columns are per trial")
        heads = "workers sweepers trials statements db-ms commits read written bytes"
        print(*(f"{head:>10}" for head in [*heads.split(), "peak-conns", "seconds"]))
        for workers in options.workers:
            sweepers = options.sweepers or max(1, workers // 8)
            trials = options.trials * workers
            database = f"load{workers}"
            server.create(database)
            arguments = [
                "x=interval(0.0,1.0)",
                f"hydra.sweeper.n_trials={trials}",
                f"hydra.sweeper.n_jobs={workers // sweepers}",
                f"epochs={options.epochs}",
                f"seconds={options.seconds}",
                "hydra/sweeper/pruner=none",
            ]
            load = measure(server, database, arguments, sweepers)
            cost = [
                *(load.statements, load.milliseconds, load.transactions),
                *(load.rows_read, load.rows_written, load.bytes_kept),
            ]
            row = [workers, sweepers, trials, *(f"{c / trials:.1f}" for c in cost)]
            row += [load.connections, f"{load.seconds:.1f}"]
            print(*(f"{value:>10}" for value in row), flush=True)
            for line in list_frequent_statements(server, database, options.dearest):
                print("   ", *line)


if __name__ == "__main__":
    main()
