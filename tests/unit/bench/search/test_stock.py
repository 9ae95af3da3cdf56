"""Replays of hydra-optuna-sweeper, which runs batches."""

import pytest

from framesweep.bench.search.stock import replay_stock


def test_the_stock_sweeper_waits_for_each_batch(table) -> None:
    alone, batches = (replay_stock(table, n_jobs, 0, 8) for n_jobs in (1, 4))
    assert alone.num_trials == batches.num_trials == len(batches.results) == 8
    assert alone.idle_share == pytest.approx(0.0)
    assert batches.idle_share > 0
    # Two batches, each of which lasts as long as its longest training.
    assert batches.seconds in {6.0, 9.0, 12.0}


def test_the_same_seed_repeats_the_stock_sweepers_search(table) -> None:
    assert replay_stock(table, 2, 1, 6).results == replay_stock(table, 2, 1, 6).results
