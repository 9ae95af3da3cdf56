"""The steps and batch sizes of a plan, compared with counting them one by one."""

import math
from dataclasses import replace

import pytest

from framesweep.training.plan import Plan, improves, steps_per_epoch

PLAN = Plan(epochs=4, batch_size=10, seed=0, objective="dev/accuracy")


@pytest.mark.parametrize(("num_frames", "steps"), [(1, 1), (9, 1), (10, 1), (11, 2), (20, 2)])
def test_the_last_batch_may_be_smaller(num_frames: int, steps: int) -> None:
    assert steps_per_epoch(num_frames, 10) == steps


@pytest.mark.parametrize("final_batch_size", [None, 10, 40])
def test_the_total_is_the_sum_over_the_epochs(final_batch_size: int | None) -> None:
    plan = replace(PLAN, final_batch_size=final_batch_size)
    counted = sum(
        len(range(0, 95, plan.batch_frames(epoch))) for epoch in range(1, plan.epochs + 1)
    )
    assert plan.total_steps(lambda utterances: 95) == counted


def test_the_batch_size_counts_frames_whatever_the_size_of_an_item() -> None:
    plan = replace(PLAN, batch_size=100, epochs=2, final_batch_size=300)
    assert [plan.batch_items(epoch, 30) for epoch in (1, 2)] == [3, 10]
    assert plan.batch_items(1, 1000) == 1
    assert plan.total_steps(lambda utterances: 20, 30) == 7 + 2


def test_batches_grow_by_equal_factors() -> None:
    plan = replace(PLAN, final_batch_size=80)
    assert [plan.batch_frames(epoch) for epoch in (1, 2, 3, 4, 9)] == [10, 20, 40, 80, 80]
    plan = replace(PLAN, epochs=3, batch_size=100, final_batch_size=400)
    assert [plan.batch_frames(epoch) for epoch in (1, 2, 3)] == [100, 200, 400]
    assert plan.total_steps(lambda utterances: 1000) == 10 + 5 + 3
    constant = replace(plan, final_batch_size=None)
    assert constant.total_steps(lambda utterances: 1001) == 33


@pytest.mark.parametrize("maximize", [True, False])
def test_a_better_objective_is_larger_or_smaller_by_its_direction(maximize: bool) -> None:
    assert improves(2.0, 1.0, maximize=maximize) == maximize
    assert improves(1.0, 2.0, maximize=maximize) != maximize
    assert not improves(1.0, 1.0, maximize=maximize)


@pytest.mark.parametrize("maximize", [True, False])
def test_nan_is_worse_than_any_objective(maximize: bool) -> None:
    assert improves(1.0, None, maximize=maximize)
    assert improves(1.0, math.nan, maximize=maximize)
    assert not improves(math.nan, 1.0, maximize=maximize)


def test_epochs_may_train_on_growing_shares() -> None:
    plan = replace(PLAN, epochs=5, utterances=(1, 2, 4))
    assert [plan.num_utterances(epoch) for epoch in range(1, 6)] == [1, 2, 4, 4, 4]
    assert PLAN.num_utterances(3) is None
    frames = {1: 25, 2: 50, 4: 100}

    def count_items(utterances: int | None) -> int:
        assert utterances is not None
        return frames[utterances]

    assert plan.total_steps(count_items) == 3 + 5 + 10 + 10 + 10
    assert replace(plan, epochs=2).total_steps(count_items) == 3 + 5
    assert replace(plan, final_batch_size=10).total_steps(count_items) == 38
