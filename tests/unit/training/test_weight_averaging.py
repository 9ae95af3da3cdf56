"""Averages of the weights over the steps."""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from framesweep.config import TrainConfig
from framesweep.training import weight_averaging
from framesweep.training.weight_averaging import build_average


def make_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def walk(average, model, steps):
    """Change the weights at random, step by step, and return each state."""
    states = []
    for _ in range(steps):
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.randn_like(tensor))
            else:
                tensor.add_(1)
        average.count_step()
        average.update(model)
        states.append(copy.deepcopy(model.state_dict()))
    return states


def test_average_none_builds_nothing():
    assert build_average(TrainConfig(), make_model(), 10) is None


def test_swa_is_the_mean_of_the_last_steps():
    model = make_model()
    average: Any = build_average(TrainConfig(average="swa", average_from=0.6), model, 10)
    states = walk(average, model, 6)
    before_start = average.model
    assert before_start is None
    states += walk(average, model, 4)
    found = average.model.state_dict()
    for name, tensor in found.items():
        if tensor.is_floating_point():
            expected = torch.stack([state[name] for state in states[6:]]).mean(dim=0)
            torch.testing.assert_close(tensor, expected)
    assert found["1.num_batches_tracked"] == states[-1]["1.num_batches_tracked"]


@pytest.mark.parametrize("total", [1, 2, 4])
def test_swa_begins_with_the_last_step_at_the_latest(total):
    model = make_model()
    average: Any = build_average(TrainConfig(average="swa", average_from=0.95), model, total)
    states = walk(average, model, total)
    assert torch.equal(average.model.state_dict()["0.weight"], states[-1]["0.weight"])


def test_skipped_steps_count_towards_the_start_of_swa():
    model = make_model()
    average: Any = build_average(TrainConfig(average="swa", average_from=0.5), model, 20)
    walk(average, model, 2)
    average.skip(5)
    walk(average, model, 3)
    before_start = average.model
    assert before_start is None
    average.skip(9)
    before_start = average.model
    assert before_start is None
    states = walk(average, model, 2)
    average.skip(1)
    states += walk(average, model, 1)
    expected = torch.stack([state["0.weight"] for state in states]).mean(dim=0)
    torch.testing.assert_close(average.model.state_dict()["0.weight"], expected)


def test_ema_reaches_its_decay_after_a_faster_start():
    model = make_model()
    average: Any = build_average(TrainConfig(average="ema", ema_decay=0.6), model, 30)
    states = walk(average, model, 30)
    expected = states[0]["0.weight"]
    for number, state in enumerate(states[1:], start=1):
        decay = min(0.6, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * state["0.weight"]
    torch.testing.assert_close(average.model.state_dict()["0.weight"], expected)


@pytest.mark.parametrize("kind", ["ema", "swa"])
def test_a_saved_average_continues_bit_for_bit(kind):
    config, model = TrainConfig(average=kind, average_from=0.2), make_model()
    average: Any = build_average(config, model, 20)
    walk(average, model, 12)
    again, twin = build_average(config, make_model(), 20), copy.deepcopy(model)
    again.load_state_dict(copy.deepcopy(average.state_dict()))
    for one, of in ((average, model), (again, twin)):
        torch.manual_seed(1)
        walk(one, of, 8)
    for one, other in zip(
        average.model.state_dict().values(), again.model.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


@pytest.mark.parametrize("large", [1, 1 << 18])
@pytest.mark.parametrize("kind", ["ema", "swa"])
def test_the_average_on_a_device_is_that_on_the_cpu(monkeypatch, kind, large):
    monkeypatch.setattr(weight_averaging, "LARGE", large)
    config = TrainConfig(average=kind, average_from=0.5)
    averages = []
    for on_device in (False, True):
        model = make_model()
        average: Any = build_average(config, model, 10)
        if on_device:
            average._shares = torch.ones(2)  # what it creates on an NVIDIA GPU
        torch.manual_seed(1)
        walk(average, model, 6)
        first = copy.deepcopy(average.model.state_dict())
        walk(average, model, 4)
        averages.append((first, average.model.state_dict()))
    for one, other in zip(*averages, strict=True):
        for name, tensor in one.items():
            torch.testing.assert_close(tensor, other[name])
    if kind == "swa":  # the first average is a copy
        assert all(torch.equal(averages[0][0][name], averages[1][0][name]) for name in first)


def test_a_checkpoint_has_the_names_of_torchs_averaged_model():
    """Runs of earlier versions used it, and can be resumed."""
    model = make_model()
    theirs = AveragedModel(model, use_buffers=True)
    theirs.update_parameters(model)
    average: Any = build_average(TrainConfig(average="ema"), make_model(), 10)
    walk(average, make_model(), 3)
    assert average.state_dict()["average"].keys() == theirs.state_dict().keys()
    average.load_state_dict({"steps": 5, "average": theirs.state_dict()})
    assert torch.equal(average.model.state_dict()["0.weight"], model.state_dict()["0.weight"])
