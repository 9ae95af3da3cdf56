"""Trials per hour and pauses are computed from the times of trials."""

import pytest

from framesweep.bench.corpus import write_corpus
from framesweep.bench.workers import measure_workers


def test_trials_per_hour_and_the_pause_between_trials(searches, tmp_path) -> None:
    result = measure_workers(tmp_path, num_jobs=2, threads=1, num_trials=4)
    assert result["trials per hour"] == 4 / 24 * 3600
    assert result["pause seconds"] == pytest.approx(0.5)
    assert {"hydra.sweeper.n_jobs=2", "hardware.threads=1"} < set(searches[0])


@pytest.mark.heavy
def test_a_real_sweep_of_two_workers_is_measured(tmp_path) -> None:
    result = measure_workers(write_corpus(tmp_path, 3000), num_jobs=2, threads=1, num_trials=3)
    assert result["trials"] == 3
    assert result["trials per hour"] > 0
    assert result["pause seconds"] > 0
