"""Tasks run in order, within the time, and whatever becomes of the others."""

import time

import torch

from framesweep.bench.gpu.budget import NotApplicableError, Task, run_tasks


def run(*tasks: Task, seconds: float = 60) -> list:
    return run_tasks(tasks, time.monotonic() + seconds, lambda result: None)


def fail(error: Exception):
    def task():
        raise error

    return task


def test_a_task_that_the_time_does_not_suffice_for_is_skipped_with_a_note():
    done = []
    tasks = [Task("a", str(s), s, lambda: done.append(1) or {"ok": True}) for s in (1, 90, 2)]
    results = run(*tasks)
    assert [r["ok"] for r in results] == [True, None, True]
    assert results[1]["note"].startswith("skipped: needs up to 90 s, ")
    assert len(done) == 2


def test_a_failure_is_a_result_and_ends_no_other_task():
    results = run(
        Task("a", "broken", 1, fail(RuntimeError("first line\nsecond"))),
        Task("a", "other device", 1, fail(NotApplicableError("no fp16"))),
        Task("a", "too large", 1, fail(torch.OutOfMemoryError("of 80 GiB"))),
        Task("a", "fine", 1, lambda: {"ok": True, "ms": 2.0}),
    )
    assert [r["ok"] for r in results] == [False, None, None, True]
    assert results[0]["note"] == "RuntimeError: first line"
    assert "fail" in results[0]["traceback"] or "RuntimeError" in results[0]["traceback"]
    assert results[1]["note"] == "left out: no fp16"
    assert "memory" in results[2]["note"]
    assert results[3]["ms"] == 2.0
