"""A storm of faults over sweeps and runs, and a check that nothing was lost or doubled.

    python -m faults.soak [--minutes 60] [--seed 0] [--folder FOLDER]

Two sweepers with two workers each search a grid, and a single run trains next to them, again
and again until the minutes are over. PostgreSQL has the studies and MLflow's tables; an MLflow
server keeps the artifacts. Meanwhile processes are killed and suspended, servers restarted,
packets dropped, the disk filled, and files damaged. Every trial and run must then be the same,
bit by bit, as one that nothing disturbed. The exit code is 1 if anything differs.

A seed repeats the order of the faults and how long they last. Which process or file each one
meets depends on what the machine has done until then.

The disk and the network are the test's own where it may have some, that is as root with unshare
and nft; otherwise nothing fills the disk and no packets are dropped, which the table says.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from faults.partition import INSIDE, is_possible
from faults.soak.rounds import Soak
from faults.soak.scene import open_scene
from faults.soak.weather import isolate
from toy import ToyCorpus, write_hw1p2

LENGTHS = {"train": (300, 200, 400), "dev": (150, 100), "test": (80, 40)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--folder",
        type=Path,
        help="a folder that is kept: a new one, or one that has only `calm` of an earlier test",
    )
    parser.add_argument("--only", default="", help="a regular expression of faults' names")
    arguments = parser.parse_args()
    if INSIDE not in os.environ and is_possible():
        command = [sys.executable, "-m", "faults.soak", *sys.argv[1:]]
        return isolate(command, {**os.environ, INSIDE: "1"})
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).absolute()
        return soak(folder, 60 * arguments.minutes, arguments.seed, arguments.only)


def soak(folder: Path, seconds: float, seed: int, only: str = "") -> int:
    """Run a storm for at least `seconds`, print a table, and return the exit code."""
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # PostgreSQL runs as another user
    corpus = write_hw1p2(folder / "corpus", ToyCorpus(LENGTHS))
    if is_isolated := INSIDE in os.environ:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with open_scene(folder / "scene", corpus, is_isolated=is_isolated) as scene:
        test = Soak(scene, folder / "calm", corpus, seed)
        test.run(seconds, only)
    print_table(test, is_isolated=is_isolated)
    print(f"seed {seed}, {time.monotonic() - started:.0f} s")
    for failure in test.failures:
        print(f"    {failure}", file=sys.stderr)
    return 1 if test.failures else 0


def print_table(test: Soak, *, is_isolated: bool) -> None:
    """Print how often each fault happened, and what was found."""
    print(f"{'':56} {'times':>6} {'while a single run trained':>27}")
    for name in sorted(test.storm.faults):
        print(f"{name:56} {test.happened[name]:6,} {test.happened_to_runs[name]:27,}")
    if not is_isolated:
        print("not tried, as they need root, unshare and nft: full disk, network partition")
    found = {
        "trials that ended": test.num_trials,
        "runs that ended": test.num_runs,
        "times that a killed command was started again": test.num_restarts[True],
        "times that a command ended in one line and was repeated": test.num_restarts[False],
        "damaged lines of outboxes that were put aside": test.num_refused,
        "lost, doubled or different": len(test.failures),
    }
    for name, number in found.items():
        print(f"{name:56} {number:6,}")


if __name__ == "__main__":
    sys.exit(main())
