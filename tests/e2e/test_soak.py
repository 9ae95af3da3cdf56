"""Random faults lose, double and change nothing; `make soak` does this for an hour.

The short storm leaves out the faults whose effect depends on the moment at which they strike.
"""

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from faults.soak.checker import TrackedRun, count_refused, find_differences, find_waiting
from faults.soak.weather import forecast

NAMES = ["full disk", "kill -9 of a run", "network partition"]


@pytest.mark.heavy
def test_a_short_storm_of_faults_loses_and_doubles_nothing(tmp_path):
    done = subprocess.run(
        [
            *[sys.executable, "-m", "faults.soak", "--minutes", "0.3", "--seed", "0"],
            *["--folder", str(tmp_path / "soak"), "--only", "kill|damaged|disk"],
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_seed_repeats_the_order_of_the_faults():
    first, again, other = (list(islice(forecast(NAMES, s, 9.0, 3.0), 50)) for s in (1, 1, 2))
    assert first == again != other
    assert {name for gust in first for name in gust.names} == set(NAMES)
    assert max(gust.seconds for gust in first) <= 9.0
    assert max(gust.pause for gust in first) <= 3.0


def test_each_trial_that_is_lost_doubled_or_different_is_found():
    metrics = [{("dev/loss", 1): 0.5}]
    trial = {"state": "COMPLETE", "metrics": metrics, "models": [1]}
    expected = {"seed=0": trial, "seed=1": trial}
    assert find_differences("sweep", expected, dict(expected)) == []
    (lost,) = find_differences("sweep", {"seed=0": trial}, expected)
    assert lost == "sweep: seed=1 is missing"
    (more,) = find_differences("sweep", {**expected, "seed=2": trial}, expected)
    assert more == "sweep: seed=2 is superfluous"
    twice = {**trial, "metrics": 2 * metrics}
    (line,) = find_differences("sweep", {**expected, "seed=1": twice}, expected)
    assert line.startswith("sweep, seed=1: metrics is [{('dev/loss', 1): 0.5}, {")


def test_metrics_that_arrived_twice_are_counted_and_speeds_are_not_compared():
    run = TrackedRun("FINISHED", {})
    run.metrics["dev/loss", 1] += [0.5, 0.5]
    run.metrics["train/frames_per_second", 1] += [7.0]
    assert run.num_repeated == 1
    assert run.curves == {("dev/loss", 1): 0.5}


def test_records_that_wait_or_were_put_aside_are_found(tmp_path):
    folder = tmp_path / "runs" / "1" / "tracking"
    folder.mkdir(parents=True)
    (folder / "outbox.jsonl").touch()
    assert find_waiting(tmp_path) == []
    (folder / "outbox.jsonl").write_text("{}\n")
    (folder / "refused.jsonl").write_text("{}\n{}\n")
    assert len(find_waiting(tmp_path)) == 1
    assert count_refused(tmp_path) == 2
