"""Runs tasks within a limited time, the most important first."""

import gc
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

Result = dict[str, Any]
"""What a task found: `section`, `case`, whether it is `ok` (None for mere measurements), a
`note`, and measured values."""


class NotApplicableError(Exception):
    """A task does not apply to the device."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something to check or to measure.

    Attributes:
        section: The section of the table.
        case: The row in it.
        seconds: How long it takes at most on a GPU of today, by estimate.
        run: Does it, and returns values and perhaps `ok` and `note`.
    """

    section: str
    case: str
    seconds: float
    run: Callable[[], Result]


def run_tasks(
    tasks: Iterable[Task], deadline: float, report: Callable[[Result], None]
) -> list[Result]:
    """Run tasks in order, leave out those that the time does not suffice for, and return all.

    A task that fails does not end the others.

    Args:
        tasks: The tasks, the most important first.
        deadline: The value of `time.monotonic` at which all must be done.
        report: Called with each result.
    """
    results = []
    for task in tasks:
        started = time.monotonic()
        left = deadline - started
        result: Result = {"section": task.section, "case": task.case, "ok": None}
        if task.seconds > left:
            result["note"] = f"skipped: needs up to {task.seconds:.0f} s, {left:.0f} s are left"
        else:
            result |= _attempt(task)
            result["seconds"] = round(time.monotonic() - started, 2)
        report(result)
        _release()
        results.append(result)
    return results


def _release() -> None:
    """Release the memory of the last task, and what torch.compile keeps of it."""
    gc.collect()
    if torch.cuda.is_available():
        # Networks that are compiled one after the other would count as recompilations of one.
        torch.compiler.reset()
        torch.cuda.empty_cache()


def _attempt(task: Task) -> Result:
    try:
        return task.run()
    except NotApplicableError as reason:
        return {"note": f"left out: {reason}"}
    except torch.OutOfMemoryError:
        return {"note": "left out: the GPU's memory does not suffice"}
    except Exception as error:
        line = str(error).strip().split("\n", maxsplit=1)[0]
        trace = "".join(traceback.format_exception(error)[-12:])
        note = f"{type(error).__name__}: {line}"
        return {"ok": False, "note": note, "traceback": trace}
