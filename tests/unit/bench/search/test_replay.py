"""Replays of framesweep's sweeper: virtual time, pruning, workers and seeds."""

import pytest

from framesweep.bench.search.contenders import build_contender
from framesweep.bench.search.replay import replay_search

RANDOM = ("hydra/sweeper/sampler=random", "hydra/sweeper/pruner=none")


@pytest.fixture(scope="module")
def random_search():
    return build_contender("random", *RANDOM)


@pytest.fixture(scope="module")
def pruned_search():
    return build_contender("pruned", RANDOM[0], "hydra/sweeper/pruner=median")


def test_a_search_keeps_all_workers_busy_until_its_time_is_up(table, random_search) -> None:
    replay = replay_search(table, random_search, 2, 0, 60.0)
    assert replay.seconds == 60.0
    assert replay.idle_share == pytest.approx(0.0)
    ends = [end for end, _ in replay.results]
    assert ends == sorted(ends)
    assert ends[-1] <= 60.0
    # A training takes 3 or 6 seconds, and two run at a time.
    assert 2 * 60 / 6 - 2 <= len(ends) <= 2 * 60 / 3


def test_more_workers_complete_more_trials(table, random_search) -> None:
    counts = [len(replay_search(table, random_search, k, 0, 30.0).results) for k in (1, 4)]
    assert counts[1] > 3 * counts[0]


def test_the_same_seed_repeats_a_search_exactly(table, pruned_search) -> None:
    first, second = (replay_search(table, pruned_search, 2, 3, 60.0).results for _ in range(2))
    assert first == second
    assert first != replay_search(table, pruned_search, 2, 4, 60.0).results


def test_pruned_trials_end_early_so_that_more_are_started(
    table, random_search, pruned_search
) -> None:
    plain = replay_search(table, random_search, 2, 0, 90.0)
    pruned = replay_search(table, pruned_search, 2, 0, 90.0)
    assert plain.num_pruned == 0
    assert pruned.num_pruned > 0
    assert pruned.num_trials > plain.num_trials


def test_a_grid_ends_with_its_last_point(table) -> None:
    grid = build_contender("grid", "hydra/sweeper/sampler=grid", "hydra/sweeper/pruner=none")
    replay = replay_search(table, grid, 2, 0, 1000.0)
    assert replay.num_trials == 24
    assert replay.find_best(1000.0) == pytest.approx(table.best)
