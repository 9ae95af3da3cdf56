"""Measures whether speed costs accuracy, by training in several precisions and two ways."""

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from framesweep.bench.baselines import require_plain_mlp
from framesweep.config.composition import compose
from framesweep.models.layers import Block
from framesweep.models.mlp import MLP
from framesweep.runs.experiment import Experiment, build_experiment
from framesweep.training.callbacks import NoOpCallback

VARIANTS = (("fp32", "plain"), ("fp32", "fused"), ("bf16", "plain"), ("bf16", "fused"))
"""Precisions, and whether torch's modules or the fused loops compute the hidden layers."""


def measure_accuracy(
    precision: str, modules: str, seeds: Sequence[int], overrides: Sequence[str]
) -> dict[str, Any]:
    """Return the final dev accuracy of a training for each seed, with mean and deviation.

    Args:
        precision: fp32 or bf16.
        modules: "fused", which is how every run trains, or "plain", which trains and evaluates
            the same weights with torch's own modules.
        overrides: overrides of the training, as `train.py` accepts them.
    """
    accuracies = []
    for seed in seeds:
        settings = [*overrides, f"hardware.precision={precision}", f"seed={seed}"]
        config = compose([*settings, "tracking.backend=none"])
        require_plain_mlp(config.model)
        experiment = build_experiment(config)
        if modules == "plain":
            assert isinstance(experiment.components.model, MLP)
            network = extract_plain_modules(experiment.components.model)
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


def extract_plain_modules(model: MLP) -> nn.Sequential:
    """Return the modules of `model`, with shared weights, as a sequence that torch computes.

    `Block.forward` replaces them by the fused loops; this is the reference for those.
    """
    modules: list[nn.Module] = []
    for block in model.layers:
        assert isinstance(block, Block)
        assert not block.residual
        modules += [block.linear, block.norm, block.activation, block.dropout]
    return nn.Sequential(*modules, model.output)


def _train(experiment: Experiment) -> dict[str, float]:
    """Train and return the metrics of the last epoch."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = experiment.checkpoints(Path(folder))
        progress = experiment.fit(checkpoints, NoOpCallback())
    return progress.history[-1]
