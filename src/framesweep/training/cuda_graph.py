"""A training step that is recorded as a CUDA graph once and then replayed.

A step of a small network consists of a hundred or more kernels, each of which takes the GPU
less time than it takes the host to launch it. A graph launches them all with one call. A replay
repeats the recorded kernels with the recorded addresses and numbers. Therefore whatever changes
from step to step (the items of the batch, the learning rate, the shares of a weight average) is
read from tensors that stay in place, and the random generator keeps its offset on the device.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from framesweep.errors import ConfigError
from framesweep.system.random_state import get_rng_state, set_rng_state
from framesweep.training.components import TrainingComponents
from framesweep.training.optimizers.rates import has_device_rates, state_tensors
from framesweep.training.state import RunningMetrics

log = logging.getLogger(__name__)

WARM_UP_STEPS = 3
"""Steps before the recording, in which libraries allocate their workspaces and kernels are
compiled; neither may happen within a recording."""

DeviceStep = Callable[[Tensor], None]
"""Does what a training step does on the device, for the items of a batch."""

Record = Callable[[Callable[[], None]], Callable[[], None]]
"""Records what a function does on the device, and returns a function that repeats it."""


class RecordedStep:
    """Replays a training step.

    Warming up and recording leave no trace: weights, statistics, moments, sums, the gradient
    scale and random generators are restored. So a run that records its step, one that does so
    again after it was resumed, and one that was never stopped compute the same.

    Args:
        step: The step on the device.
        items: (B,) items of a batch; those of all other batches have the same shape.
        components: All that the step changes.
        sums: The sums to which it adds.
        record: Records a function; the default makes a CUDA graph of it.
    """

    def __init__(
        self,
        step: DeviceStep,
        items: Tensor,
        components: TrainingComponents,
        sums: RunningMetrics,
        record: Record | None = None,
    ) -> None:
        self._items = items.clone()
        with unchanged(components, sums):
            self._replay = (record or record_cuda_graph)(lambda: step(self._items))

    def __call__(self, items: Tensor) -> None:
        """Take the recorded step with other (B,) items."""
        self._items.copy_(items)
        self._replay()


def record_cuda_graph(function: Callable[[], None]) -> Callable[[], None]:
    """Call `function` a few times, record its kernels, and return their replay."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP_STEPS):
            function()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    # Other threads of the process, which upload data, may use the GPU meanwhile.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        function()
    return graph.replay


def record_step(
    step: DeviceStep, items: Tensor, components: TrainingComponents, sums: RunningMetrics
) -> RecordedStep | None:
    """Return the recorded step, or None if that fails with hardware.cuda_graph=auto.

    A network or an optimizer from outside this package may do what no graph can contain, such
    as reading a number from the device.

    Raises:
        ConfigError: Recording fails with hardware.cuda_graph=true.
    """
    try:
        return RecordedStep(step, items, components, sums)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        rule = f"must be auto or false, because the training step can't be recorded ({reason})"
        if components.hardware.cuda_graph is True:
            raise ConfigError("hardware.cuda_graph", rule, found=True) from error
        log.warning("hardware.cuda_graph: the step can't be recorded (%s)", reason)
        return None


def can_record(
    components: TrainingComponents, *, constant_size: bool, varies: bool = False
) -> bool:
    """Return whether the training steps are to be recorded.

    Args:
        components: The network and what trains it.
        constant_size: Whether the full batches of all epochs have one size.
        varies: Whether the items of a batch vary in length.

    Raises:
        ConfigError: hardware.cuda_graph=true, and the config does not allow it.
    """
    hardware = components.hardware
    if hardware.cuda_graph is False or hardware.device.type != "cuda":
        return False
    reason = None
    if components.process_group.size > 1:
        reason = ("must be auto or false with several processes", "hardware.processes=1")
    elif not constant_size:
        reason = ("must be auto or false with growing batches", "train.final_batch_size=null")
    elif varies:
        reason = ("must be auto or false with chunks of varying length", "model=tdnn")
    elif not has_device_rates(components.optimizer):
        reason = ("must be auto or false with this optimizer", "optim=adamw")
    if reason is not None and hardware.cuda_graph is True:
        rule, alternative = reason
        fix = f"Use hardware.cuda_graph=auto or {alternative}."
        raise ConfigError("hardware.cuda_graph", rule, found=True, fix=fix)
    return reason is None


@contextmanager
def unchanged(components: TrainingComponents, sums: RunningMetrics) -> Iterator[None]:
    """Restore, at the end, everything that training steps change on the device.

    Tensors that an optimizer creates in its first step are set to zero, with which all
    optimizers here start; they are kept, as a recorded step has their addresses.
    """
    hardware = components.hardware
    before = [(tensor, tensor.detach().clone()) for tensor in _changing(components, sums)]
    known = {id(tensor) for tensor, _ in before}
    rng, scale = get_rng_state(hardware.device), hardware.scaler_state()
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor in _changing(components, sums):
                if id(tensor) not in known:
                    tensor.zero_()
            for tensor, value in before:
                tensor.copy_(value)
        hardware.load_scaler_state(scale)
        set_rng_state(rng, hardware.device)


def _changing(components: TrainingComponents, sums: RunningMetrics) -> list[Tensor]:
    """Return all tensors that a step changes in place, but for those of the gradient scale."""
    model, average = components.model, components.average
    return [
        *model.parameters(),
        *model.buffers(),
        *state_tensors(components.optimizer),
        *([] if average is None else average.tensors()),
        *(sums.loss, sums.correct, sums.seen),
    ]
