"""The state of everything that takes part in training."""

import io

import pytest
import torch
from torch import nn

from framesweep.config import AdamConfig, HardwareConfig, TrainConfig
from framesweep.system.hardware import resolve_hardware
from framesweep.training.components import TrainingComponents
from framesweep.training.losses import build_loss
from framesweep.training.lr_schedules import Schedule
from framesweep.training.optimizers.build import build_optimizer
from framesweep.training.weight_averaging import build_average

STEPS = 10


def build(average):
    config = AdamConfig(schedule="cosine")
    model = nn.Linear(3, 2)
    optimizer = build_optimizer(config, model)
    averaging = TrainConfig(average=average, average_from=0.5)
    return TrainingComponents(
        model=model,
        optimizer=optimizer,
        schedule=Schedule(config, optimizer, STEPS, STEPS),
        loss=build_loss(config),
        clip=lambda parameters: None,
        augment=None,
        hardware=resolve_hardware(HardwareConfig(device="cpu", precision="fp32", threads=1)),
        average=build_average(averaging, model, STEPS),
    )


def take_step(components):
    loss = components.loss(components.model(torch.rand(4, 3)), torch.tensor([0, 1, 0, 1]))
    components.optimizer.zero_grad()
    loss.backward()
    components.optimizer.step()
    components.schedule.step()
    if components.average is not None:
        components.average.count_step()
        components.average.update(components.model)


@pytest.mark.parametrize("average", ["none", "ema", "swa"])
def test_restored_components_take_the_same_steps(average):
    components, restored = build(average), build(average)
    for _ in range(6):
        take_step(components)
    file = io.BytesIO()
    torch.save(components.state_dict(), file)
    file.seek(0)
    for _ in range(3):
        take_step(components)
    restored.load_state_dict(torch.load(file, weights_only=True))
    for _ in range(3):
        take_step(restored)
    assert restored.schedule.lr == components.schedule.lr
    for one, other in zip(
        restored.evaluated.state_dict().values(),
        components.evaluated.state_dict().values(),
        strict=True,
    ):
        assert torch.equal(one, other)


def test_the_averaged_network_is_evaluated_once_there_is_one():
    components = build("swa")
    assert components.evaluated is components.model
    for _ in range(STEPS):
        take_step(components)
    assert components.evaluated is components.average.model


@pytest.mark.parametrize("average", ["none", "swa"])
def test_skipped_steps_count_for_the_schedule_and_the_average(average):
    components = build(average)
    last = build(average).schedule
    last.skip(STEPS - 1)
    components.skip(STEPS - 1)
    assert components.schedule.lr == last.lr
    if components.average is not None:
        take_step(components)
        assert components.average.model is not None
