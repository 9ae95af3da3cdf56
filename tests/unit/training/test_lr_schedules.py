"""Learning rates, compared with those of torch's own schedulers."""

import io
import math
from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch
from torch.optim import SGD, Optimizer
from torch.optim import lr_scheduler as oracle

from framesweep.config import OptimConfig
from framesweep.config.network import FITTED_SCHEDULES, ScheduleName
from framesweep.training.lr_schedules import Schedule, lr_factor

LR = 0.3
SCHEDULES = get_args(ScheduleName)


def optimizer(*lrs: float) -> Optimizer:
    made = SGD([{"params": [torch.zeros(1)], "lr": lr, "initial_lr": lr} for lr in lrs])
    for group in made.param_groups:
        group["params"][0].grad = torch.zeros(1)
    return made


def run(schedule: Schedule, num_steps: int) -> list[float]:
    rates = []
    for _ in range(num_steps):
        rates.append(schedule.lr)
        schedule.step()
    return rates


def run_oracle(make: Callable[[Optimizer], Any], num_steps: int) -> list[float]:
    made = optimizer(LR)
    scheduler = make(made)
    rates = []
    for step in range(num_steps):
        rates.append(made.param_groups[0]["lr"])
        made.step()
        if step < num_steps - 1:
            scheduler.step()
    return rates


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.3, 0.95])
@pytest.mark.parametrize("total", [20, 101])
def test_onecycle_equals_that_of_torch(warmup: float, total: int) -> None:
    config = OptimConfig(lr=LR, schedule="onecycle", warmup=warmup)
    ours = run(Schedule(config, optimizer(LR), total, 10), total)
    if warmup == 0.0:  # here torch would begin after the peak, ours begins at it
        assert ours[0] == LR
        assert ours[-1] == pytest.approx(LR / 25e4)
        return
    theirs = run_oracle(
        lambda o: oracle.OneCycleLR(
            o, LR, total_steps=total, pct_start=warmup, cycle_momentum=False
        ),
        total,
    )
    assert ours == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5])
def test_cosine_equals_that_of_torch(warmup: float) -> None:
    total, final = 60, 0.05
    config = OptimConfig(lr=LR, schedule="cosine", warmup=warmup, final_lr=final)
    ours = run(Schedule(config, optimizer(LR), total, 10), total)
    rise = round(warmup * total)

    def make(o: Optimizer) -> Any:
        fall = oracle.CosineAnnealingLR(o, total - 1 - rise, eta_min=final * LR)
        if not rise:
            return fall
        climb = oracle.LinearLR(o, start_factor=1 / (rise + 1), total_iters=rise)
        return oracle.SequentialLR(o, [climb, fall], milestones=[rise])

    theirs = run_oracle(make, total)
    assert ours == pytest.approx(theirs, rel=1e-9)
    assert max(ours) == LR
    assert ours[-1] == pytest.approx(final * LR)


def test_step_equals_that_of_torch() -> None:
    config = OptimConfig(lr=LR, schedule="step", step_epochs=2, gamma=0.1)
    ours = run(Schedule(config, optimizer(LR), 70, 10), 70)
    theirs = run_oracle(lambda o: oracle.StepLR(o, 2 * 10, gamma=0.1), 70)
    assert ours == pytest.approx(theirs, rel=1e-12)


OBJECTIVES = [0.5, 0.6, 0.6, 0.59, 0.58, 0.61, math.nan, 0.6, 0.6, 0.6, 0.7, 0.7, 0.1, 0.8]


@pytest.mark.parametrize("patience", [1, 2, 3])
@pytest.mark.parametrize("maximize", [True, False])
def test_plateau_equals_that_of_torch(patience: int, maximize: bool) -> None:
    """Ours reduces the rate in the last epoch of its patience, torch's in the next one."""
    config = OptimConfig(lr=LR, schedule="plateau", patience=patience, gamma=0.5)
    schedule = Schedule(config, optimizer(LR), 100, 10, maximize=maximize)
    made = optimizer(LR)
    theirs = oracle.ReduceLROnPlateau(
        made,
        "max" if maximize else "min",
        factor=0.5,
        patience=patience - 1,
        threshold=0.0,
        eps=0.0,
    )
    dropped = 0
    for objective in OBJECTIVES:
        schedule.step()
        schedule.epoch_end(objective if maximize else -objective)
        theirs.step(objective if maximize else -objective)
        assert schedule.lr == made.param_groups[0]["lr"]
        dropped += schedule.lr < LR
    assert dropped


def test_for_plateau_any_objective_is_better_than_nan() -> None:
    config = OptimConfig(lr=LR, schedule="plateau", patience=2, gamma=0.5)
    schedule = Schedule(config, optimizer(LR), 100, 10)
    for objective in (math.nan, 0.1, 0.2, 0.3):
        schedule.epoch_end(objective)
    assert schedule.lr == LR


def test_skipped_steps_count_like_taken_ones() -> None:
    config = OptimConfig(lr=LR, schedule="onecycle")
    taken, skipped = (Schedule(config, optimizer(LR), 100, 10) for _ in range(2))
    run(taken, 60)
    run(skipped, 50)
    skipped.skip(10)
    assert skipped.lr == taken.lr
    assert skipped.state_dict() == taken.state_dict()


def test_other_schedules_ignore_the_objective() -> None:
    schedule = Schedule(OptimConfig(lr=LR), optimizer(LR), 100, 10)
    for _ in range(10):
        schedule.epoch_end(0.0)
    assert run(schedule, 100) == [LR] * 100


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("stop", [0, 13, 40])
def test_a_saved_schedule_continues_bit_for_bit(name: Any, stop: int) -> None:
    config = OptimConfig(lr=LR, schedule=name, patience=1, step_epochs=1)

    def train(schedule: Schedule, first: int, last: int) -> list[float]:
        rates = []
        for step in range(first, last):
            rates.append(schedule.lr)
            schedule.step()
            if step % 10 == 9:
                schedule.epoch_end(OBJECTIVES[step // 10])
        return rates

    whole = train(Schedule(config, optimizer(LR), 60, 10), 0, 60)
    begun = Schedule(config, optimizer(LR), 60, 10)
    train(begun, 0, stop)
    file = io.BytesIO()
    torch.save(begun.state_dict(), file)
    file.seek(0)
    resumed = Schedule(config, optimizer(LR), 60, 10)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert train(resumed, stop, 60) == whole[stop:]


def test_parameter_groups_keep_their_ratio() -> None:
    made = optimizer(LR, LR / 7)
    schedule = Schedule(OptimConfig(schedule="cosine"), made, 30, 10)
    for _ in range(30):
        first, second = (group["lr"] for group in made.param_groups)
        assert second == pytest.approx(first / 7, rel=1e-12)
        schedule.step()


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("total", [1, 2, 3])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 0.99])
def test_the_shortest_runs_have_a_positive_learning_rate(
    name: Any, total: int, warmup: float
) -> None:
    config = OptimConfig(schedule=name, warmup=warmup)
    factors = [lr_factor(config, step, total, 1) for step in range(total + 2)]
    assert all(0 < factor <= 1 for factor in factors)
    if total == 1:
        assert factors[0] == 1.0


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_schedules_that_are_fitted_to_the_number_of_steps_are_known_as_such(
    name: Any,
) -> None:
    config = OptimConfig(schedule=name, warmup=0.3)
    short, long = (
        [lr_factor(config, step, total, 10) for step in range(40)] for total in (40, 60)
    )
    assert (short != long) == (name in FITTED_SCHEDULES)
