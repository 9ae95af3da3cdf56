"""Training, evaluation and prediction are measured in interleaved rounds."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from framesweep.bench import report
from framesweep.bench.throughput import (
    WARM_STEPS,
    _InterleavedRounds,
    measure_evaluation,
    measure_training,
)


def test_training_is_compared_with_every_baseline(case) -> None:
    result = measure_training(case, rounds=2, steps=1)
    assert set(result["ratio"]) >= set(report.COLUMNS)
    assert all(speed > 0 for speed in result["frames_per_second"].values())
    assert result["ratio"]["matmul"] == min(
        ratio for name, ratio in result["ratio"].items() if name.startswith("matmul, ")
    )
    assert (result["what"], result["model"], result["context"]) == ("train", "small", 1)


@pytest.mark.parametrize("model", ["conv", "tdnn"])
def test_convolutions_are_compared_with_their_multiplications_and_plain_modules(
    case, model
) -> None:
    one = replace(case, model=model, context=31, batch_size=64)
    result = measure_training(one, rounds=1, steps=1)
    assert {"matmul", "matmul, torch.mm", "plain step"} <= result["ratio"].keys()
    assert all(ratio > 0 for ratio in result["ratio"].values())
    assert result["batch_size"] == 64


def test_evaluation_and_prediction_are_compared_with_their_upper_bound(case) -> None:
    evaluated, predicted = measure_evaluation(case, rounds=2)
    assert (evaluated["what"], predicted["what"]) == ("evaluate", "predict")
    assert 0 < evaluated["ratio"]["matmul"] < 2
    assert 0 < predicted["ratio"]["matmul"] < 2


class Clock:
    """A clock that training and the baseline move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def baseline(self) -> int:
        self.now += 100.0
        return 1000


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make_callback(clock: Clock, rounds: int, steps: int) -> _InterleavedRounds:
    experiment: Any = SimpleNamespace(
        train=SimpleNamespace(device=torch.device("cpu"), item_frames=1),
        plan=SimpleNamespace(batch_items=lambda epoch, item_frames: 10),
    )
    case: Any = SimpleNamespace(clock=clock)
    return _InterleavedRounds(case, experiment, {"base": clock.baseline}, rounds, steps)


def train(callback: _InterleavedRounds, clock: Clock, steps_per_epoch: int) -> int:
    """Take steps of one second each until the callback stops; return their number."""
    num_steps = 0
    for epoch in range(1, 100):
        for step in range(1, steps_per_epoch + 1):
            clock.now += 1.0
            num_steps += 1
            callback.on_step(epoch, step, steps_per_epoch)
            if callback.stop_signal():
                return num_steps
        clock.now += 50.0  # evaluation and a checkpoint
    raise AssertionError("the callback never stopped")


def test_only_steps_are_timed_and_neither_baselines_nor_ends_of_epochs(clock) -> None:
    callback = make_callback(clock, rounds=4, steps=3)
    num_steps = train(callback, clock, steps_per_epoch=8)
    assert callback.speeds.rounds["train"] == [10.0] * 4
    assert callback.speeds.rounds["base"] == [10.0] * 4
    assert num_steps > WARM_STEPS + 4 * 3


def test_a_round_that_an_epoch_ends_in_is_repeated(clock) -> None:
    callback = make_callback(clock, rounds=1, steps=3)
    # Three warm-up steps and two timed ones fill the first epoch; its end discards them.
    num_steps = train(callback, clock, steps_per_epoch=WARM_STEPS + 3)
    assert num_steps == 2 * WARM_STEPS + 3 + 1
    assert callback.speeds.rounds["train"] == [10.0]
