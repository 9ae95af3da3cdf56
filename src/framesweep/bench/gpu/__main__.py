"""Checks and measures framesweep on one GPU; with `--device cpu`, rehearses it on a CPU."""

import argparse
import json
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from framesweep import __version__
from framesweep.bench.gpu.budget import Result, run_tasks
from framesweep.bench.gpu.cases import Setup
from framesweep.bench.gpu.plan import list_tasks
from framesweep.bench.gpu.table import add_shares, describe, render_table
from framesweep.system.atomic_files import write_text


def main(arguments: list[str] | None = None) -> int:
    """Run all tasks that the time suffices for; return 1 if a check failed, else 0."""
    options = _parse(arguments)
    deadline = time.monotonic() + 60 * options.minutes
    if options.device == "cuda" and not torch.cuda.is_available():
        print("--device: must be cpu, because torch finds no GPU here", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        setup = build_setup(options.device, Path(options.folder or folder))
        tasks = [t for t in list_tasks(setup) if options.only in f"{t.section}: {t.case}"]
        machine = describe_machine(options.device)
        print(" | ".join(f"{name}: {value}" for name, value in machine.items()), flush=True)
        results = run_tasks(tasks, deadline, _print_result)
    add_shares(results)
    write_text(options.json, json.dumps({"machine": machine, "results": results}, indent=1))
    print(f"\n{render_table(results)}\n")
    failed = [r for r in results if r["ok"] is False]
    for result in failed:
        print(result.get("traceback", ""), file=sys.stderr)
    skipped = sum(r.get("note", "").startswith("skipped") for r in results)
    print(f"{len(results)} tasks, {len(failed)} failed, {skipped} skipped; {options.json}")
    return 1 if failed else 0


def build_setup(device: str, folder: Path) -> Setup:
    """Return the sizes for a device; those of a rehearsal are small."""
    if device == "cuda":
        return Setup(device, folder, 1_100_000, (2048, 65_536, 16_384), steps=14, rounds=5)
    return Setup(device, folder, 3_000, (32,), steps=2, rounds=1)


def describe_machine(device: str) -> dict[str, Any]:
    """Return what a reader of the figures has to know of the machine."""
    found = {
        "framesweep": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
    }
    if device == "cuda":
        found["CUDA"] = str(torch.version.cuda)
        found["capability"] = ".".join(map(str, torch.cuda.get_device_capability()))
    return found


def _print_result(result: Result) -> None:
    seconds = f"{result['seconds']:.1f} s" if "seconds" in result else ""
    print(f"{result['section']}: {result['case']}: {describe(result)} {seconds}", flush=True)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m framesweep.bench.gpu", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--minutes", type=float, default=8.0, help="the time for everything")
    parser.add_argument("--json", type=Path, default=Path("outputs/gpu.json"))
    parser.add_argument("--folder", help="directory of corpora; a temporary one by default")
    parser.add_argument("--only", default="", help="run tasks whose name contains this text")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
