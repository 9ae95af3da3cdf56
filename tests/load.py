"""How a search loads PostgreSQL: real sweepers and workers whose trials train nothing.

    python tests/load.py --workers 2 8 32 64

Prints a table: what one trial costs the database, and what a waiting sweeper costs a second.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from servers import Postgres, postgres

APP = Path(__file__).with_name("sweep_app.py")
SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.max": 5000,
    "max_connections": 500,
}
OURS = "query NOT ILIKE '%pg_stat_%' AND query NOT ILIKE '%pg_database_size%'"


@dataclass
class Load:
    """What the database was asked in one sweep."""

    statements: int
    milliseconds: float
    transactions: int
    rows_read: int
    rows_written: int
    bytes_kept: int
    connections: int = 0
    seconds: float = 0.0


class Watch:
    """Counts connections while it is open."""

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
    """Runs so many sweepers on one study in `database`."""
    before = counts(server, database)
    watch, began = Watch(server, database), time.monotonic()
    command = [sys.executable, str(APP), "-m", "hydra.sweeper.study_name=s", *arguments]
    command += [f"hydra.sweeper.storage={server.url(database)}"]
    with tempfile.TemporaryDirectory() as folder:
        running = [
            subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
            for _ in range(sweepers)
        ]
        codes = [process.wait() for process in running]
    assert not any(codes), codes
    seconds = time.monotonic() - began
    after = counts(server, database)
    load = Load(*(new - old for new, old in zip(after, before, strict=True)))
    load.connections, load.seconds = watch.close(), seconds
    return load


def counts(server: Postgres, database: str) -> list[float]:
    """Statements, their milliseconds, transactions, rows read and written, bytes."""
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


def dearest(server: Postgres, database: str, number: int) -> list[tuple]:
    """The statements asked most often: calls, rows, milliseconds, text."""
    return server.query(
        "SELECT calls, rows, round(total_exec_time::numeric, 1), "
        "left(regexp_replace(query, '\\s+', ' ', 'g'), 150) FROM pg_stat_statements "
        f"WHERE dbid = (SELECT oid FROM pg_database WHERE datname = '{database}') AND {OURS} "
        f"ORDER BY calls DESC LIMIT {number}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 8, 32, 64])
    parser.add_argument("--sweepers", type=int, default=0, help="0: one for eight workers")
    parser.add_argument("--trials", type=int, default=4, help="a worker")
    parser.add_argument("--epochs", type=int, default=10, help="reports a trial")
    parser.add_argument("--seconds", type=float, default=0.0, help="an epoch")
    parser.add_argument("--dearest", type=int, default=0, help="statements to list")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with postgres(**SETTINGS) as server:
        server.query("CREATE EXTENSION pg_stat_statements")
        print(f"{options.epochs} reports a trial; all but the last two columns a trial")
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
            for line in dearest(server, database, options.dearest):
                print("   ", *line)


if __name__ == "__main__":
    main()
