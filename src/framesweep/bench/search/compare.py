"""Compares searches on the recorded trainings with hydra-optuna-sweeper's, over many seeds."""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from framesweep.bench.search.contenders import RANDOM, SHIPPED, Contender
from framesweep.bench.search.parallel import map_in_processes
from framesweep.bench.search.replay import replay_search
from framesweep.bench.search.replayed import Replay
from framesweep.bench.search.stock import replay_stock
from framesweep.bench.search.table import RecordedTable

STOCK = "stock sweeper"
STOCK_TRIALS = 50
"""Trials of the stock sweeper's search, whose best objective is the others' goal."""

REGRET_TRAININGS = (10, 25, 100)
"""When regrets are compared: after this many mean trainings, divided among the workers."""

EVERYWHERE = (SHIPPED, RANDOM)
"""Contenders that are compared with every number of workers; all others only with MAIN_JOBS."""
MAIN_JOBS = 2
SLOW_SHARE = 0.03
"""Share of the seeds with which a slow contender is replayed."""

SEED_OFFSET = 1_000_000
"""Added to the seed of all searches but the stock sweeper's.

With the same seed, random search would start with the same points as the stock sweeper, and so
reach its best without finding it."""

Measures = dict[str, float]


def compare_searches(
    table: RecordedTable,
    contenders: Sequence[Contender],
    seeds: Sequence[int],
    jobs: Sequence[int],
    processes: int = 1,
) -> Iterator[dict[str, Any]]:
    """Yield a result for each number of workers and each search.

    Args:
        table: the recorded trainings.
        contenders: the searches that are compared with the stock sweeper's.
        seeds: the seeds, with each of which every search is replayed.
        jobs: numbers of workers.
        processes: processes that replay searches at the same time.
    """
    num_slow = max(1, round(SLOW_SHARE * len(seeds)))
    slow = set(seeds[:num_slow])
    for n_jobs in jobs:
        chosen = [c for c in contenders if n_jobs == MAIN_JOBS or c.name in EVERYWHERE]
        measure = partial(_measure_seed, table, chosen, slow, n_jobs)
        by_name: dict[str, list[Measures]] = {}
        for measured in map_in_processes(measure, seeds, processes):
            for name, measures in measured.items():
                by_name.setdefault(name, []).append(measures)
        shipped = [m["share"] for m in by_name.get(SHIPPED, [])]
        for name, all_measures in by_name.items():
            summary = _summarize(name, n_jobs, all_measures)
            yield {**summary, "sooner": count_sooner(all_measures, shipped)}


def _measure_seed(
    table: RecordedTable,
    contenders: Sequence[Contender],
    slow_seeds: set[int],
    n_jobs: int,
    seed: int,
) -> dict[str, Measures]:
    """Return the measures of the stock sweeper's search and of each other one with a seed."""
    stock = replay_stock(table, n_jobs, seed, STOCK_TRIALS)
    times = [count * table.mean_seconds / n_jobs for count in REGRET_TRAININGS]
    # Once the stock sweeper has its best, it is too late to find it sooner.
    goal = max(value for _, value in stock.results)
    own = stock.seconds_to(goal)
    assert own is not None
    limit = max(own, *times)
    replays = {STOCK: stock} | {
        c.name: replay_search(table, c, n_jobs, seed + SEED_OFFSET, limit)
        for c in contenders
        if not c.is_slow or seed in slow_seeds
    }
    return {
        name: _measure(table, replay, times, (goal, own, stock.seconds))
        for name, replay in replays.items()
    }


def _measure(
    table: RecordedTable,
    replay: Replay,
    times: Sequence[float],
    stock: tuple[float, float, float],
) -> Measures:
    goal, own, whole = stock
    reached = replay.seconds_to(goal)
    # A search that ends without reaching the goal may run longer than the stock sweeper's.
    seconds = reached if reached is not None and reached <= own else math.inf
    regrets = {}
    for count, time in zip(REGRET_TRAININGS, times, strict=True):
        best = replay.find_best(time)
        regrets[f"regret {count}"] = table.best - (table.worst if best is None else best)
    return {
        "share": seconds / own,
        "share of whole": seconds / whole,
        **regrets,
        "trials": replay.num_trials,
        "pruned": replay.num_pruned / replay.num_trials,
        "idle": replay.idle_share,
        "seconds per trial": replay.search_seconds,
    }


def _summarize(name: str, n_jobs: int, measured: list[Measures]) -> dict[str, Any]:
    """Return the median and the 90 % range of each measure; None where it is infinite."""
    shares = [m["share"] for m in measured]
    return {
        "what": "replay",
        "search": name,
        "n_jobs": n_jobs,
        "seeds": len(measured),
        "reached": float(np.mean(np.isfinite(shares))),
        **{key: _quantiles([m[key] for m in measured]) for key in measured[0]},
    }


def count_sooner(measured: Sequence[Measures], shipped: Sequence[float]) -> float | None:
    """Return the share of the seeds in which a search reaches the goal before the shipped one.

    Equal times count half. The seeds are compared one by one, because the goals of some are
    much harder to reach than those of others.

    Args:
        measured: the measures of the search, with the first seeds or all.
        shipped: the shares of the shipped search, with all seeds; empty if it is not compared.
    """
    pairs = list(zip((m["share"] for m in measured), shipped, strict=False))
    if not pairs:
        return None
    return sum((own < other) + (own == other) / 2 for own, other in pairs) / len(pairs)


def _quantiles(values: list[float]) -> dict[str, float | None]:
    """Return quantiles that are values themselves, because some values may be infinite.

    They are those of definition 3 in Hyndman and Fan, Sample Quantiles in Statistical Packages,
    The American Statistician 50 (1996), which NumPy before 2.2 computes otherwise.
    """
    ordered, count = sorted(values), len(values)
    found = {
        name: ordered[max(0, round(count * share) - 1)]
        for name, share in (("p5", 0.05), ("median", 0.5), ("p90", 0.9), ("p95", 0.95))
    }
    return {name: value if math.isfinite(value) else None for name, value in found.items()}
