"""Many runs that log concurrently: none may fail, and every metric must arrive once.

    python -m faults.load URI OUTPUTS NAME...

starts one process with several of them. They log as runs do, without training anything.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import sqlalchemy

from faults.fault_result import FaultResult

NUM_EPOCHS = 50
METRICS = ("train/loss", "train/accuracy", "dev/loss", "dev/accuracy")


def log_run(uri: str, outputs: Path, num_epochs: int, name: str) -> None:
    """Log a run of `num_epochs` epochs without training anything."""
    from framesweep.config import TrackingConfig
    from framesweep.tracking import open_tracker

    config = TrackingConfig(uri=uri, run_name=name)
    with open_tracker(config, outputs, outputs / "runs" / "today" / name) as tracker:
        tracker.log_params({f"key.{number}": number for number in range(60)})
        for epoch in range(1, num_epochs + 1):
            tracker.log_epoch(epoch, dict.fromkeys(METRICS, 1 / epoch))


def run_load(
    what: str, uri: str, outputs: Path, num_runs: int, num_processes: int
) -> FaultResult:
    """Log `num_runs` runs concurrently; a metric survives if it is stored exactly once."""
    result = FaultResult(f"{num_runs} concurrent runs, {what}: metrics")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    environment["OMP_NUM_THREADS"] = "1"
    started = time.monotonic()
    names = [str(number) for number in range(num_runs)]
    processes = [
        subprocess.Popen(
            [
                *[sys.executable, "-m", "faults.load", uri, str(outputs)],
                *names[number::num_processes],
            ],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(num_processes)
    ]
    for process in processes:
        output, _ = process.communicate(timeout=900)
        if process.returncode:
            result.failures.append(output[-500:])
    seconds = time.monotonic() - started
    engine = sqlalchemy.create_engine(uri)
    with engine.connect() as connection:
        query = "select run_uuid, key, step from metrics"
        found = Counter(tuple(row) for row in connection.execute(sqlalchemy.text(query)))
        ended = connection.execute(
            sqlalchemy.text("select count(*) from runs where status = 'FINISHED'")
        ).scalar_one()
    engine.dispose()
    result.tried = num_runs * NUM_EPOCHS * len(METRICS)
    result.survived = sum(1 for count in found.values() if count == 1)
    if ended != num_runs:
        result.failures.append(f"{ended} runs finished")
    result.note = f"{ended} runs finished in {seconds:.0f} s"
    return result


if __name__ == "__main__":
    tracking_uri, folder, *all_names = sys.argv[1:]
    with ThreadPoolExecutor(len(all_names)) as pool:
        list(pool.map(partial(log_run, tracking_uri, Path(folder), NUM_EPOCHS), all_names))
