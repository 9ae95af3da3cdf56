"""Experiments as on a machine with an NVIDIA GPU, on fake tensors."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    unset_fake_temporarily,
)

from fake_cuda.matrix import Case
from fake_cuda.trace import Trace, Tracer
from framesweep.config.composition import compose, register
from framesweep.evaluation import evaluate
from framesweep.runs import experiment as experiments
from framesweep.runs.experiment import Experiment
from framesweep.system.hardware import Hardware, Precision
from framesweep.training import samplers
from framesweep.training.loop import _build_sampler
from framesweep.training.permutation import STAGES, Permutation
from framesweep.training.samplers import FrameSampler
from framesweep.training.state import RunningMetrics, TrainingState
from framesweep.training.step import TrainingStep
from toy import ToyCorpus, write_hw1p2

CUDA = torch.device("cuda")
STEPS = 3
"""Steps that are traced."""


def write_corpus(root: Path) -> Path:
    """Write a corpus of 40 features per frame.

    Each split has several utterances: a fake tensor of one element would keep its value.
    """
    lengths = {"train": (900, 700, 848), "dev": (200, 100), "test": (40, 20)}
    return write_hw1p2(root, ToyCorpus(lengths, feature_dim=40))


class FakeHardware(Hardware):
    """An NVIDIA GPU whose tensors are fake."""

    def __init__(self, precision: Precision, mode: FakeTensorMode) -> None:
        super().__init__(CUDA, precision, threads=1, compile=False)
        self._mode = mode

    def place(self, model: nn.Module) -> nn.Module:
        """Replace the tensors of a network by fake ones on the GPU, in place."""
        for module in model.modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    fake = self._mode.from_tensor(parameter.detach()).to(CUDA)
                    module._parameters[name] = nn.Parameter(fake)
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[name] = self._mode.from_tensor(buffer).to(CUDA)
        return model


@contextlib.contextmanager
def fake_gpu(precision: Precision) -> Iterator[FakeTensorMode]:
    """Make experiments run on a fake GPU within this context."""
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with (
        # A torch without CUDA would disable autocast and the gradient scaler.
        mock.patch("torch.amp.grad_scaler.torch.cuda.is_available", return_value=True),
        mock.patch("torch.cuda.is_bf16_supported", return_value=True),
        # As cuDNN does where the input and the weight have their channels last in memory.
        mock.patch(
            "torch._C._conv_determine_backend_memory_format", return_value=torch.channels_last
        ),
        mock.patch("torch.cuda.mem_get_info", return_value=(1 << 34, 1 << 34)),
    ):
        hardware = FakeHardware(precision, mode)
        with mock.patch.object(experiments, "resolve_hardware", return_value=hardware), mode:
            yield mode


def trace_steps(case: Case, corpus: Path) -> list[Trace]:
    """Return the traces of the first steps of a training, including their order of frames."""
    with fake_gpu(case.precision):
        experiment = _build(case, corpus)
        components, train = experiment.components, experiment.train
        components.model.train()
        group = components.process_group
        step = TrainingStep(
            components, train, RunningMetrics(TrainingState(), components.hardware, group)
        )
        # Its keys are real numbers. The order is computed on the GPU, as that of a large split.
        with mock.patch.object(samplers, "CHUNK", 0), unset_fake_temporarily():
            sampler = _build_sampler(experiment.plan, 1, train)
        size = experiment.plan.batch_items(1, train.item_frames)
        assert size * STEPS <= train.num_items, "the corpus is too small for this many batches"
        # Further walks repeat the same operations, which takes as long as all the rest.
        shorter = mock.patch.object(Permutation, "_count_walks", return_value=sum(STAGES))
        with contextlib.nullcontext() if case.all_walks else shorter:
            return [_trace_step(step, sampler, size, number) for number in range(STEPS)]


def _build(case: Case, corpus: Path) -> Experiment:
    register()
    outputs = corpus.parent / "outputs"
    settings = ["data=hw1p2", f"data.root={corpus}", "tracking=none", f"outputs={outputs}"]
    return experiments.build_experiment(compose([*settings, *case.arguments()]))


def _trace_step(step: TrainingStep, sampler: FrameSampler, size: int, number: int) -> Trace:
    compute = step.compute
    with Tracer() as tracer:

        def compute_recordable(*arguments: Any) -> None:
            first = len(tracer.trace.numbers)
            compute(*arguments)
            tracer.trace.recordable = slice(first, len(tracer.trace.numbers))

        # A fake tensor has no number to read; the trace contains the attempt.
        with (
            mock.patch.object(step, "compute", compute_recordable),
            contextlib.suppress(DataDependentOutputException, DynamicOutputShapeException),
        ):
            step(sampler.indices(number * size, size), is_full=True)
    return tracer.trace


def trace_evaluation(case: Case, corpus: Path) -> list[Trace]:
    """Return the traces of the forward passes over dev, in two batches."""
    with (
        fake_gpu(case.precision),
        mock.patch.object(evaluate, "batch_frames", return_value=150),
    ):
        experiment = _build(case, corpus)
        network, hardware = experiment.components.evaluated, experiment.components.hardware
        batches = evaluate.compute_logits(network, experiment.dev, hardware)
        traces = []
        for _ in range(2):
            with Tracer() as tracer:
                next(batches, None)
            traces.append(tracer.trace)
        return traces


def trace_offences() -> Trace:
    """Return the trace of everything that a step must not do."""
    with fake_gpu("fp32"), Tracer() as tracer:
        numbers = torch.ones(3, device=CUDA)
        numbers.cpu().add_(1)
        numbers.to("cpu", non_blocking=True)
        with contextlib.suppress(DataDependentOutputException):
            numbers.sum().item()
        with contextlib.suppress(DynamicOutputShapeException):
            numbers.nonzero()
    return tracer.trace
