"""The pool whose clock jumps from the end of one epoch to that of the next."""

import optuna
import pytest

from framesweep.bench.search.virtual_pool import VirtualPool, create_study
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._claim import Claim
from hydra_plugins.framesweep_sweeper.trials._process import Process
from hydra_plugins.framesweep_sweeper.workers._pool import Job
from hydra_plugins.framesweep_sweeper.workers._signals import StopSignal

BEST = {"model.width": 128, "model.dropout": 0.0, "optim.lr": 1e-3, "optim": "adam"}
FAST = {**BEST, "model.width": 64}


def start(pool: VirtualPool, slot: int, params: dict) -> Claim:
    pool.study.enqueue_trial(params)
    trial = pool.study.ask()
    for key, value in params.items():
        assert trial.suggest_categorical(key, pool.table.axes[key]) == value
    _trial_attrs.write_claim(pool.study._storage, trial._trial_id, 1, Process.current())
    claim = Claim(trial, 1, 1)
    pool.claims[claim.number] = claim
    pool.start(slot, Job(claim.number, [], None))
    return claim


@pytest.fixture
def pool(table) -> VirtualPool:
    study = create_study(optuna.pruners.ThresholdPruner(lower=0.42))
    return VirtualPool(table, study, StopSignal(), limit=7.0)


def read_outcome(pool: VirtualPool, claim: Claim):
    return _trial_attrs.read(pool.study._storage.get_trial(claim.trial_id)).outcome


def test_the_shorter_training_ends_first_and_each_epoch_is_reported(pool) -> None:
    slow, fast = start(pool, 0, BEST), start(pool, 1, FAST)
    (ended,) = pool.wait(0.0)
    assert (ended.slot, pool.now) == (1, 1.0)  # pruned: 0.4 after its first epoch
    assert read_outcome(pool, fast).state == "PRUNED"
    (ended,) = pool.wait(0.0)
    assert (ended.slot, pool.now) == (0, 6.0)
    assert read_outcome(pool, slow).values == pytest.approx((0.65,))
    reported = pool.study._storage.get_trial(slow.trial_id).intermediate_values
    assert reported == pytest.approx({1: 0.45, 2: 0.55, 3: 0.65})
    assert pool.results == [(6.0, pytest.approx(0.65))]


def test_a_training_is_not_pruned_at_its_last_epoch(table) -> None:
    study = create_study(optuna.pruners.ThresholdPruner(upper=0.6))  # below its last accuracy
    pool = VirtualPool(table, study, StopSignal(), limit=7.0)
    claim = start(pool, 0, BEST)
    pool.wait(0.0)
    assert read_outcome(pool, claim).values == pytest.approx((0.65,))
    assert (pool.num_pruned, len(pool.results)) == (0, 1)


def test_the_time_of_workers_counts_up_to_the_limit(pool) -> None:
    start(pool, 0, BEST)
    pool.wait(0.0)
    start(pool, 0, BEST)
    assert pool.wait(0.0) == []
    assert pool.stop.signum
    assert pool.now == 7.0
    assert pool.idle_share(1) == pytest.approx(0.0)
    assert pool.idle_share(2) == pytest.approx(0.5)
