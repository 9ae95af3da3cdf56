"""What a run or a sweep has written, in a form that can be compared with an undisturbed one."""

import hashlib
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import torch


def hash_weights(directory: Path) -> str:
    path = directory / "checkpoints" / "best.safetensors"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hash_state(directory: Path) -> dict[str, str]:
    """Return a hash of every tensor, and the text of every value, of the last checkpoint.

    Times and speeds are left out, as they differ between any two runs.
    """
    path = directory / "checkpoints" / "last.pt"
    state = torch.load(path, map_location="cpu", weights_only=True)
    state["progress"] = {
        key: value for key, value in state["progress"].items() if "second" not in key
    }
    for metrics in state["progress"]["history"]:
        metrics.pop("train/frames_per_second", None)
    found: dict[str, str] = {}

    def visit(prefix: str, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            content = value.contiguous().view(torch.uint8) if value.ndim else value
            found[prefix] = hashlib.sha256(content.numpy().tobytes()).hexdigest()
        elif isinstance(value, dict | list | tuple):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, child in items:
                visit(f"{prefix}.{key}", child)
        else:
            found[prefix] = repr(value)

    visit("", state)
    return found


def read_tracked(database: Path) -> tuple[Counter[str], list[tuple[str, int, float]]]:
    """Return the number of MLflow's runs by status, and every metric but the speeds."""
    with sqlite3.connect(database) as connection:
        statuses = Counter(row[0] for row in connection.execute("select status from runs"))
        query = "select key, step, value from metrics order by key, step, value"
        rows = connection.execute(query).fetchall()
        return statuses, [row for row in rows if "second" not in row[0]]


def describe_difference(found: Any, expected: Any) -> str:
    """Return a description of the parts that differ; empty if they are equal."""
    return ", ".join(
        f"{part}: {str(found[part])[:300]} instead of {str(expected[part])[:300]}"
        for part in expected
        if found[part] != expected[part]
    )
