"""Measures steps against their matrix multiplications alone and against plain PyTorch."""

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from framesweep.bench.baselines import synchronize
from framesweep.bench.gpu.budget import NotApplicableError, Result
from framesweep.bench.gpu.cases import MODES, Setup, Values
from framesweep.bench.gpu.matmuls import MatmulRecorder, capture
from framesweep.bench.gpu.steps import take_steps
from framesweep.evaluation.evaluate import compute_logits
from framesweep.runs.experiment import Experiment
from framesweep.system.hardware import Hardware

WARM_STEPS = 5
"""Steps that are not measured, in which memory is allocated and a graph is recorded."""
PROFILED_STEPS = 3

PEAK_TFLOPS = {
    "H200": 989,
    "H100": 989,
    "A100": 312,
    "L40S": 362,
    "L4": 121,
    "A10": 125,
    "V100": 125,
    "T4": 65,
    "P100": 18.7,
}
"""Dense bf16 or fp16 peaks by part of the device's name, from NVIDIA's data sheets."""


class StepTimer:
    """Times rounds of steps by the device's own clock, while `fit` runs.

    Attributes:
        milliseconds: The time per step of each round.
        first_step: Seconds from the construction of the timer to the end of the first step.
        kernels: Kernels per step; None on a CPU, and unless they are counted.
    """

    def __init__(self, device: torch.device, steps: int, rounds: int, *, count: bool) -> None:
        self.milliseconds: list[float] = []
        self.first_step = math.nan
        self.kernels: float | None = None
        self._device, self._steps = device, steps
        self.num_steps = WARM_STEPS + steps * rounds
        self._count = count and device.type == "cuda"
        self.num_steps += PROFILED_STEPS + 1 if self._count else 0
        self._rounds_end = WARM_STEPS + steps * rounds
        self._started = time.perf_counter()
        self._mark = 0.0
        self._profiler: Any = None

    def __call__(self, taken: int) -> None:
        """Note the end of a step."""
        if taken == 1:
            synchronize(self._device)
            self.first_step = time.perf_counter() - self._started
        in_round = (taken - WARM_STEPS) % self._steps == 0
        if WARM_STEPS <= taken <= self._rounds_end and in_round:
            synchronize(self._device)
            now = time.perf_counter()
            if taken > WARM_STEPS:
                self.milliseconds.append((now - self._mark) / self._steps * 1000)
            self._mark = time.perf_counter()
        if self._count:
            self._profile(taken)

    def _profile(self, taken: int) -> None:
        if taken == self._rounds_end:
            activities = [torch.profiler.ProfilerActivity.CUDA]
            self._profiler = torch.profiler.profile(activities=activities)
            self._profiler.start()
        elif taken == self._rounds_end + PROFILED_STEPS:
            synchronize(self._device)
            self._profiler.stop()
            events = self._profiler.events()
            cuda = torch.autograd.DeviceType.CUDA  # type: ignore[attr-defined]
            kernels = [event for event in events if event.device_type == cuda]
            self.kernels = len(kernels) / PROFILED_STEPS

    def median(self) -> float:
        """Return the milliseconds per step of the median round."""
        return statistics.median(self.milliseconds)


def measure_training(setup: Setup, name: str, batch_size: int, mode: str) -> Result:
    """Measure the steps of `fit` in a mode, with all that they do."""
    if not setup.is_cuda and mode != "eager":
        raise NotApplicableError("a rehearsal takes only eager steps")
    values = {**MODES[mode], "train.batch_size": batch_size}
    experiment = setup.build(name, values)
    device = experiment.components.hardware.device
    if setup.is_cuda:
        torch.cuda.reset_peak_memory_stats()
    timer = StepTimer(device, setup.steps, setup.rounds, count=True)
    take_steps(experiment, timer.num_steps, timer)
    result: Result = {
        "ms": timer.median(),
        "first step, s": timer.first_step,
        "frames/s": batch_size / timer.median() * 1000,
    }
    if setup.is_cuda:
        result["memory, GiB"] = torch.cuda.max_memory_allocated() / 2**30
        result["kernels"] = timer.kernels
    return result


def measure_bound(setup: Setup, name: str, batch_size: int) -> Result:
    """Measure the matrix multiplications of a step alone, replayed from a CUDA graph."""
    recorder, hardware = _record_step(setup, name, batch_size)
    milliseconds = _time(setup, recorder.build_replay(), hardware)
    flops = recorder.flops / milliseconds * 1000
    return {"ms": milliseconds, "GFLOP": recorder.flops / 1e9, **_utilization(flops)}


def _record_step(setup: Setup, name: str, batch_size: int) -> tuple[MatmulRecorder, Hardware]:
    """Return the multiplications of the second step; the network is released."""
    experiment = setup.build(name, {"train.batch_size": batch_size})
    recorder = MatmulRecorder()
    with recorder:
        take_steps(experiment, 2, lambda taken: recorder.clear() if taken == 1 else None)
    return recorder, experiment.components.hardware


def measure_plain(setup: Setup, name: str, batch_size: int, *, compiled: bool) -> Result:
    """Measure a plain PyTorch loop with the same network on a batch that is on the device."""
    if compiled and not setup.is_cuda:
        raise NotApplicableError("a rehearsal compiles nothing")
    experiment = setup.build(name, {"train.batch_size": batch_size})
    components, train = experiment.components, experiment.train
    # Building an experiment selects deterministic kernels, which a plain loop would not.
    torch.use_deterministic_algorithms(False)
    inputs, labels = _one_batch(experiment)
    network: nn.Module = components.model.train()
    step_network = torch.compile(network) if compiled else network
    optimizer = torch.optim.Adam(network.parameters())

    def step() -> None:
        with components.hardware.autocast():
            logits = step_network(inputs)
        loss = F.cross_entropy(logits.float(), labels, ignore_index=-1)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()

    started = time.perf_counter()
    step()
    synchronize(train.device)
    first = time.perf_counter() - started
    return {"ms": _time(setup, step, components.hardware, graph=False), "first step, s": first}


def _one_batch(experiment: Experiment) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the inputs and labels of the first items."""
    train = experiment.train
    items = experiment.plan.batch_items(1, train.item_frames)
    numbers = torch.arange(items, device=train.device) % max(1, train.num_items - 1)
    if train.item_frames > 1:
        numbers = numbers * train.item_frames % (train.num_frames - 2 * train.item_frames)
    inputs, labels, *_ = train.batch(numbers)
    return inputs.clone(), labels.clone()


def measure_evaluation(setup: Setup, name: str) -> Result:
    """Measure evaluation against its matrix multiplications alone."""
    experiment = setup.build(name)
    components, dev = experiment.components, experiment.dev

    def logits() -> None:
        for _ in compute_logits(components.model, dev, components.hardware):
            pass

    recorder = MatmulRecorder()
    with recorder, torch.no_grad():
        logits()
    found = _time(
        setup, lambda: experiment.evaluate(dev), components.hardware, graph=False, steps=3
    )
    if not recorder.flops:
        # The fused loops of a CPU multiply outside of torch.
        return {"ms": found, "frames/s": dev.num_frames / found * 1000}
    bound = _time(setup, recorder.build_replay(), components.hardware, steps=3)
    return {
        "ms": found,
        "bound, ms": bound,
        "share": bound / found,
        "frames/s": dev.num_frames / found * 1000,
    }


def _time(
    setup: Setup,
    function: Callable[[], Any],
    hardware: Hardware,
    *,
    graph: bool = True,
    steps: int | None = None,
) -> float:
    """Return the milliseconds of a call in the median round, by events on a GPU."""
    steps = steps or setup.steps
    repeat = capture(function, hardware.device) if graph else function
    for _ in range(3):
        repeat()
    rounds = []
    for _ in range(setup.rounds):
        synchronize(hardware.device)
        if hardware.device.type == "cuda":
            first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            first.record()
            for _ in range(steps):
                repeat()
            last.record()
            last.synchronize()
            rounds.append(first.elapsed_time(last) / steps)
            continue
        started = time.perf_counter()
        for _ in range(steps):
            repeat()
        rounds.append((time.perf_counter() - started) / steps * 1000)
    return float(statistics.median(rounds))


def _utilization(flops_per_second: float) -> Values:
    """Return the TFLOP/s, and their share of the peak of a GPU whose peak is known."""
    found: Values = {"TFLOP/s": flops_per_second / 1e12}
    if peak := find_peak():
        found["MFU"] = flops_per_second / 1e12 / peak
    return found


def find_peak() -> float | None:
    """Return the peak TFLOP/s of the GPU in half precision, or None if it is not known."""
    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name()
    return next((peak for part, peak in PEAK_TFLOPS.items() if part in name), None)
