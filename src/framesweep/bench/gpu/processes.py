"""Checks that need several processes: killed and resumed runs, and two workers on one GPU."""

import json
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from framesweep.bench.gpu.budget import NotApplicableError, Result
from framesweep.bench.gpu.cases import MODES, Setup

CHILD_TIMEOUT = 150
"""Seconds after which a process is considered stuck."""
KILLED_AFTER = (2, 2)
"""Epoch and step after which a run is killed; a checkpoint of the step before exists."""


def kill_and_resume(setup: Setup, case: str, mode: str) -> Result:
    """Compare a run that was killed and resumed with one that was not, bit for bit."""
    if mode != "eager" and not setup.is_cuda:
        raise NotApplicableError("a rehearsal takes only eager steps")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with ThreadPoolExecutor(2) as threads:
            whole = threads.submit(_train, setup, case, mode, folder / "whole")
            parts = threads.submit(_train, setup, case, mode, folder / "parts", KILLED_AFTER)
            whole.result(), parts.result()
        _train(setup, case, mode, folder / "parts")
        same = _equal(folder / "whole", folder / "parts")
    return {"ok": same, "note": "the same bits" if same else "other weights"}


def run_two_workers(setup: Setup, case: str) -> Result:
    """Train twice at the same time on one device, and compare the results."""
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / "first", Path(name) / "second"]
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda folder: _train(setup, case, "eager", folder), folders))
        same = _equal(*folders)
    return {"ok": same, "note": "the same bits" if same else "other weights"}


def _train(
    setup: Setup, case: str, mode: str, folder: Path, kill: tuple[int, int] | None = None
) -> None:
    """Train in a process of its own; raise RuntimeError unless it ends as it should."""
    # A few batches per epoch, the last of which is smaller.
    small = replace(setup, num_frames=4 * setup.check_batch)
    task: dict[str, Any] = {
        "setup": {**asdict(small), "folder": str(setup.folder.absolute())},
        "case": case,
        "values": MODES[mode],
        "run": str(folder),
        "weights": str(folder.with_suffix(".pt")),
        "kill": kill,
    }
    command = [sys.executable, "-m", "framesweep.bench.gpu.child", json.dumps(task)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=CHILD_TIMEOUT
    )
    if done.returncode != (0 if kill is None else -signal.SIGKILL):
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise RuntimeError(f"a process ended with {done.returncode}: {lines[-1]}")


def _equal(first: Path, second: Path) -> bool:
    """Return whether two runs ended with the same weights and statistics."""
    states = [
        torch.load(folder.with_suffix(".pt"), map_location="cpu", weights_only=True)
        for folder in (first, second)
    ]
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])
