"""Fuzzes every reader for a limited time and reports how many inputs were tried.

    python tests/fuzz/run.py [--seconds 60] [TARGET ...]

An input that breaks a reader is saved in outputs/fuzz, its traceback is printed, and the exit
code is 1.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TARGETS = ("npy", "pickle", "opcodes", "zip", "segments", "scp")
CRASHES = Path(__file__).parents[2] / "outputs" / "fuzz"
_PROGRESS = re.compile(r"#[0-9]+\s|INFO:|WARNING: Failed to find function|\"")
MEMORY = Path("/dev/shm")


def fuzz(target: str, seconds: int) -> tuple[int, bool]:
    """Fuzz `target` and return how many inputs were tried and whether all of them passed."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as scratch:
        command = [sys.executable, str(Path(__file__).with_name("readers.py")), target, scratch]
        flags = [
            f"-max_total_time={seconds}",
            "-timeout=20",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
            f"-artifact_prefix={CRASHES}/{target}-",
        ]
        done = subprocess.run(command + flags, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    tried = re.search(r"number_of_executed_units:\s*([0-9]+)", output)
    if done.returncode != 0 or tried is None:
        lines = [line[:300] for line in output.splitlines() if not _PROGRESS.match(line)]
        print("\n".join(lines), file=sys.stderr)
    return int(tried[1]) if tried else 0, done.returncode == 0 and tried is not None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    arguments = parser.parse_args()
    if unknown := set(arguments.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    CRASHES.mkdir(parents=True, exist_ok=True)
    all_passed = True
    for target in arguments.targets or TARGETS:
        tried, passed = fuzz(target, arguments.seconds)
        print(f"{target:10} {tried:12,} inputs  {'passed' if passed else 'BROKEN'}", flush=True)
        all_passed &= passed
    return 0 if all_passed else 1


if __name__ == "__main__":
    sys.exit(main())
