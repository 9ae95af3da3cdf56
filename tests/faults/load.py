"""Many runs that log at once: none may fail, and every metric is counted.

    python -m faults.load URI OUTPUTS NAME...

is a process with some of them: runs that train nothing, and log as a run does.
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

from faults.outcome import Outcome

NUM_EPOCHS = 50
METRICS = ("train/loss", "train/accuracy", "dev/loss", "dev/accuracy")


def log_a_run(uri: str, outputs: Path, num_epochs: int, name: str) -> None:
    """A run of `num_epochs` epochs without any training in them."""
    from framesweep.config import TrackingConfig
    from framesweep.tracking import open_tracker

    config = TrackingConfig(uri=uri, run_name=name)
    with open_tracker(config, outputs, outputs / "runs" / "today" / name) as tracker:
        tracker.log_params({f"key.{number}": number for number in range(60)})
        for epoch in range(1, num_epochs + 1):
            tracker.log_epoch(epoch, dict.fromkeys(METRICS, 1 / epoch))


def run_load(what: str, uri: str, outputs: Path, num_runs: int, num_processes: int) -> Outcome:
    """`num_runs` runs log at once; a try is a metric, survived where it is there once."""
    outcome = Outcome(f"{num_runs} runs at once, {what}: metrics")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    environment["OMP_NUM_THREADS"] = "1"
    began = time.monotonic()
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
        said, _ = process.communicate(timeout=900)
        if process.returncode:
            outcome.failures.append(said[-500:])
    seconds = time.monotonic() - began
    engine = sqlalchemy.create_engine(uri)
    with engine.connect() as connection:
        query = "select run_uuid, key, step from metrics"
        found = Counter(tuple(row) for row in connection.execute(sqlalchemy.text(query)))
        ended = connection.execute(
            sqlalchemy.text("select count(*) from runs where status = 'FINISHED'")
        ).scalar_one()
    engine.dispose()
    outcome.tried = num_runs * NUM_EPOCHS * len(METRICS)
    outcome.survived = sum(1 for count in found.values() if count == 1)
    if ended != num_runs:
        outcome.failures.append(f"{ended} runs finished")
    outcome.note = f"{ended} runs finished in {seconds:.0f} s"
    return outcome


if __name__ == "__main__":
    place, folder, *all_names = sys.argv[1:]
    with ThreadPoolExecutor(len(all_names)) as pool:
        list(pool.map(partial(log_a_run, place, Path(folder), NUM_EPOCHS), all_names))
