"""The tasks of one call, the most important first."""

from collections.abc import Iterator
from functools import partial

from framesweep.bench.gpu import checks, processes, speed
from framesweep.bench.gpu.budget import Task
from framesweep.bench.gpu.cases import MODELS, MODES, VARIANTS, Setup

MEASURED = ("base", "hw1p2", "wide", "conv", "tdnn")
"""The networks that are measured, the most important first."""
PLAIN, COMPILED = ("graph", "eager"), ("compiled graph", "compiled")
"""Modes of MODES, the more important one first."""
RESUMED = "ema"
"""The config that is killed and resumed: it has a state of every kind."""


def list_tasks(setup: Setup) -> Iterator[Task]:
    """Yield all checks, then all measurements."""
    yield from _list_checks(setup)
    for batch_size in setup.batch_sizes:
        for name in MEASURED:
            yield from _list_measurements(setup, name, batch_size)
    for name in MEASURED:
        task = partial(speed.measure_evaluation, setup, name)
        yield Task("evaluation", name, 8, task)
    # Compilation takes most of the time, and everything else is known without it.
    for mode in COMPILED:
        resume = partial(processes.kill_and_resume, setup, RESUMED, mode)
        yield Task("kill -9 and resume", mode, 90, resume)
        for name in ("base", "hw1p2"):
            watch = partial(checks.watch_for_waits, setup, name, MODES[mode])
            yield Task("no wait in 20 steps", f"{name}, {mode}", 40, watch)
    for name in MEASURED:
        for batch_size in setup.batch_sizes:
            for mode in COMPILED:
                train = partial(speed.measure_training, setup, name, batch_size, mode)
                yield Task(f"{name}, batch {batch_size}", mode, 40, train)
            plain = partial(speed.measure_plain, setup, name, batch_size, compiled=True)
            yield Task(f"{name}, batch {batch_size}", "plain loop, compiled", 30, plain)


def _list_checks(setup: Setup) -> Iterator[Task]:
    for name in MODELS:
        yield Task("CPU", name, 10, partial(checks.compare_with_cpu, setup, name))
    for mode in PLAIN:
        resume = partial(processes.kill_and_resume, setup, RESUMED, mode)
        yield Task("kill -9 and resume", mode, 60, resume)
    for name in MODELS:
        for mode in PLAIN:
            watch = partial(checks.watch_for_waits, setup, name, MODES[mode])
            yield Task("no wait in 20 steps", f"{name}, {mode}", 5, watch)
    for name in VARIANTS:
        watch = partial(checks.watch_for_waits, setup, name)
        yield Task("no wait in 20 steps", name, 5, watch)
    overflow = partial(checks.overflow_in_fp16, setup, "sgd")
    yield Task("fp16 overflow", "sgd", 5, overflow)
    for name in ("base", "tdnn"):
        stream = partial(checks.stream_the_store, setup, name)
        yield Task("streamed features", name, 10, stream)
    workers = partial(processes.run_two_workers, setup, RESUMED)
    yield Task("two workers on one device", RESUMED, 60, workers)


def _list_measurements(setup: Setup, name: str, batch_size: int) -> Iterator[Task]:
    section = f"{name}, batch {batch_size}"
    bound = partial(speed.measure_bound, setup, name, batch_size)
    yield Task(section, "multiplications alone", 6, bound)
    for mode in PLAIN:
        train = partial(speed.measure_training, setup, name, batch_size, mode)
        yield Task(section, mode, 8, train)
    plain = partial(speed.measure_plain, setup, name, batch_size, compiled=False)
    yield Task(section, "plain loop", 6, plain)
