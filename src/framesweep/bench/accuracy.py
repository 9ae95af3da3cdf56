"""Whether speed costs accuracy: one training in several precisions and by plain modules."""

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from framesweep.bench import baselines
from framesweep.config.composition import compose
from framesweep.models.layers import Block
from framesweep.models.mlp import MLP
from framesweep.runs.experiment import Experiment, build_experiment
from framesweep.training.callbacks import NoOpCallback

VARIANTS = (("fp32", "plain"), ("fp32", "fused"), ("bf16", "plain"), ("bf16", "fused"))
"""Precision, and whether torch's modules compute the hidden layers or the fused loops do."""


def measure_accuracy(
    precision: str, modules: str, seeds: Sequence[int], overrides: Sequence[str]
) -> dict[str, Any]:
    """Final dev accuracy of a training, seed by seed.

    Args:
        precision: fp32 or bf16.
        modules: fused, as every run has it, or plain, which trains and evaluates the very same
            weights by torch's own modules.
        overrides: the training, as `train.py` takes it.
    """
    accuracies = []
    for seed in seeds:
        settings = [*overrides, f"hardware.precision={precision}", f"seed={seed}"]
        config = compose([*settings, "tracking.backend=none"])
        baselines.check(config.model)
        experiment = build_experiment(config)
        if modules == "plain":
            assert isinstance(experiment.components.model, MLP)
            network = plain_modules(experiment.components.model)
            experiment.components = replace(experiment.components, model=network)
        accuracies.append(_train(experiment)["dev/accuracy"])
    return {
        "what": "accuracy",
        "precision": precision,
        "modules": modules,
        "epochs": experiment.plan.epochs,
        "seeds": list(seeds),
        "dev/accuracy": accuracies,
        "mean": statistics.mean(accuracies),
        "deviation": statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0,
    }


def plain_modules(model: MLP) -> nn.Sequential:
    """The modules of `model`, weights shared, called one after the other as torch has them."""
    modules: list[nn.Module] = []
    for block in model.layers:
        assert isinstance(block, Block)
        assert not block.residual
        modules += [block.linear, block.norm, block.activation, block.dropout]
    return nn.Sequential(*modules, model.output)


def _train(experiment: Experiment) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = experiment.checkpoints(Path(folder))
        progress = experiment.fit(checkpoints, NoOpCallback())
    return progress.history[-1]
