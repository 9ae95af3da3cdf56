"""How far training has come, and the running metrics of an epoch."""

import math

import pytest
import torch

from framesweep.config import HardwareConfig
from framesweep.distributed.collectives import SINGLE_PROCESS, ProcessGroup
from framesweep.errors import NonFiniteLossError
from framesweep.system.hardware import resolve_hardware
from framesweep.training.state import RunningMetrics, TrainingState, check_loss_is_finite

HARDWARE = resolve_hardware(HardwareConfig(device="cpu", precision="fp32"))


def test_train_metrics_are_means_over_the_frames_seen():
    state = TrainingState(loss_sum=30.0, num_correct=5, num_seen=20, epoch_seconds=2.0)
    assert state.train_metrics() == {
        "train/loss": 1.5,
        "train/accuracy": 0.25,
        "train/frames_per_second": 10.0,
    }


def test_train_metrics_of_an_epoch_without_labelled_frames_are_0():
    state = TrainingState(step=1, epoch_seconds=2.0)
    assert set(state.train_metrics().values()) == {0.0}


def test_a_new_epoch_begins_with_empty_sums_and_keeps_the_rest():
    state = TrainingState(
        epoch=3,
        step=7,
        loss_sum=1.0,
        num_correct=1,
        num_seen=1,
        epoch_seconds=1.0,
        total_seconds=5.0,
        best_epoch=2,
    )
    state.begin_epoch()
    assert state == TrainingState(epoch=4, total_seconds=5.0, best_epoch=2)


def test_best_is_the_metric_of_the_best_epoch():
    state = TrainingState(best_epoch=2, history=[{"dev/accuracy": 0.9}, {"dev/accuracy": 0.5}])
    assert state.best("dev/accuracy") == 0.5


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_refused(loss):
    with pytest.raises(NonFiniteLossError, match=f"the dev loss became {loss} in epoch 3"):
        check_loss_is_finite("dev", loss, "epoch 3", (3, 0))
    check_loss_is_finite("dev", 1e30, "epoch 3", (3, 0))


def add(sums, loss, correct, seen):
    sums.add(torch.tensor(loss), torch.tensor(correct), torch.tensor(seen))


def test_running_metrics_continue_those_of_the_checkpoint():
    state = TrainingState(loss_sum=10.0, num_correct=4, num_seen=8, total_seconds=100.0)
    sums = RunningMetrics(state, HARDWARE, SINGLE_PROCESS)
    add(sums, 2.5, 1, 2)
    sums.write(state)
    add(sums, 1.5, 1, 2)
    sums.write(state)
    assert (state.loss_sum, state.num_correct, state.num_seen) == (14.0, 6, 12)
    assert state.epoch_seconds > 0
    assert state.total_seconds == pytest.approx(100.0 + state.epoch_seconds)


def test_only_rank_0_continues_the_sums_of_the_checkpoint():
    state = TrainingState(loss_sum=10.0, num_correct=4, num_seen=8)
    sums = RunningMetrics(state, HARDWARE, ProcessGroup(rank=1, size=2))
    assert (float(sums.loss), int(sums.correct), int(sums.seen)) == (0.0, 0, 0)


def test_a_lost_loss_is_noticed_when_the_metrics_are_written():
    state = TrainingState(epoch=2, step=50)
    sums = RunningMetrics(state, HARDWARE, SINGLE_PROCESS)
    add(sums, math.nan, 0, 2)
    with pytest.raises(NonFiniteLossError, match="became nan in epoch 2, by step 50"):
        sums.write(state)


@pytest.mark.parametrize(
    ("saved", "kept"),
    [
        ((3, 0), "the checkpoint after epoch 2 is kept"),
        ((3, 40), "the checkpoint of epoch 3, step 40 is kept"),
        ((1, 40), "the checkpoint of epoch 1, step 40 is kept"),
        ((1, 0), "no checkpoint had been saved"),
    ],
)
def test_the_message_names_the_checkpoint_that_is_there(saved, kept):
    with pytest.raises(NonFiniteLossError, match=f"; {kept}"):
        check_loss_is_finite("dev", math.nan, "epoch 3", saved)
