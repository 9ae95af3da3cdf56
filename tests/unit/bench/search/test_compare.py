"""Comparing searches over seeds with the stock sweeper's."""

from dataclasses import replace

import pytest

from framesweep.bench.search import compare
from framesweep.bench.search.compare import STOCK, compare_searches
from framesweep.bench.search.contenders import RANDOM, SHIPPED, build_contender

RANDOM_SEARCH = ("hydra/sweeper/sampler=random", "hydra/sweeper/pruner=none")


@pytest.fixture(scope="module")
def contenders():
    random = build_contender(RANDOM, *RANDOM_SEARCH)
    return [replace(random, name=SHIPPED), random, replace(random, name="other")]


def test_each_search_is_compared_with_the_stock_sweepers(
    table, contenders, monkeypatch
) -> None:
    monkeypatch.setattr(compare, "STOCK_TRIALS", 6)
    found = compare_searches(table, contenders, range(2), (1, 2))
    results = {(result["n_jobs"], result["search"]): result for result in found}
    # Only the main contenders are compared with every number of workers.
    everywhere = {(k, name) for k in (1, 2) for name in (STOCK, SHIPPED, RANDOM)}
    assert set(results) == everywhere | {(2, "other")}
    stock, ours, other = (results[2, name] for name in (STOCK, SHIPPED, "other"))
    # The stock sweeper takes its own time, and equal searches have equal results.
    assert stock["share"] == {"p5": 1.0, "median": 1.0, "p90": 1.0, "p95": 1.0}
    assert stock["reached"] == 1.0
    assert ours["share"] == other["share"]
    assert ours["sooner"] == other["sooner"] == 0.5
    assert ours["regret 10"] == other["regret 10"]
    assert 0 <= ours["regret 25"]["median"] <= ours["regret 10"]["median"]


def test_a_slow_contender_is_replayed_with_fewer_seeds(table, contenders, monkeypatch) -> None:
    monkeypatch.setattr(compare, "STOCK_TRIALS", 4)
    monkeypatch.setattr(type(contenders[0]), "is_slow", property(lambda c: c.name == "other"))
    found = {
        r["search"]: r["seeds"] for r in compare_searches(table, contenders, range(3), (2,))
    }
    assert found["other"] == 1
    assert found[SHIPPED] == 3


def test_a_share_that_is_never_reached_is_none() -> None:
    assert compare._quantiles([0.5, 1.0, float("inf")]) == {
        "p5": 0.5,
        "median": 1.0,
        "p90": None,
        "p95": None,
    }


def test_searches_are_compared_with_the_shipped_one_seed_by_seed() -> None:
    inf = float("inf")
    measured = [{"share": share} for share in (0.1, 0.9, inf, inf)]
    assert compare.count_sooner(measured, [0.2, 0.8, inf, 0.5]) == (1 + 0 + 0.5 + 0) / 4
    assert compare.count_sooner(measured[:2], [0.2, 0.8, inf, 0.5]) == 0.5
    assert compare.count_sooner(measured, []) is None
