"""The upper bound of an experiment consists of its multiplications, and of nothing else."""

from dataclasses import replace

import pytest
import torch

from framesweep.bench import contenders
from framesweep.bench.contenders import (
    build_evaluation_bounds,
    build_training_bounds,
    count_step_frames,
)
from framesweep.bench.gpu.matmuls import MatmulRecorder
from framesweep.kernels.backends import with_torch
from framesweep.training.state import RunningMetrics, TrainingState
from framesweep.training.step import TrainingStep


@pytest.mark.parametrize("model", ["small", "conv", "tdnn"])
def test_a_step_and_its_bound_multiply_as_much(case, model) -> None:
    one = replace(case, model=model, context=31, batch_size=64)
    experiment = one.build_experiment()
    components = experiment.components
    bound = build_training_bounds(experiment)["matmul, torch.mm"]
    step = TrainingStep(
        components,
        experiment.train,
        RunningMetrics(TrainingState(), components.hardware, components.process_group),
    )
    layers = [m for m in components.model.modules() if isinstance(m, torch.nn.Linear)]
    items = torch.arange(experiment.plan.batch_items(1, experiment.train.item_frames))
    with with_torch(layers), MatmulRecorder() as trained:
        step(items, is_full=True)
    with MatmulRecorder() as bounded:
        assert bound() == count_step_frames(experiment) == 64
    assert bounded.flops == trained.flops > 0


@pytest.mark.parametrize("model", ["small", "conv_small", "tdnn"])
def test_the_bound_of_evaluation_has_one_multiplication_per_layer(
    case, model, monkeypatch
) -> None:
    monkeypatch.setattr(contenders, "batch_frames", lambda windows: 500)
    experiment = replace(case, model=model, context=31).build_experiment()
    bound = build_evaluation_bounds(experiment)["matmul, torch.mm"]
    with MatmulRecorder() as bounded:
        assert bound() == 500
    params = sum(p.numel() for p in experiment.components.model.parameters() if p.ndim > 1)
    assert bounded.flops >= 2 * 500 * params
    assert len(bounded._calls) == sum(
        isinstance(m, torch.nn.Linear) for m in experiment.components.model.modules()
    )


def test_the_bound_of_evaluation_multiplies_shared_patches_once(case, monkeypatch) -> None:
    monkeypatch.setattr(contenders, "batch_frames", lambda windows: 500)
    experiment = replace(case, model="conv_small", context=25).build_experiment()
    network, flops = experiment.components.model, []
    for classifies_together in (True, False):
        if not classifies_together:
            monkeypatch.setattr(type(network), "stretch_eval", lambda self, dtype=None: None)
        bound = build_evaluation_bounds(experiment)["matmul, torch.mm"]
        with MatmulRecorder() as bounded:
            bound()
        flops.append(bounded.flops)
    assert flops[0] < 0.75 * flops[1]
    assert network.training
