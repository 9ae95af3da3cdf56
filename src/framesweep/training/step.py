"""One step of training: a batch, its loss and gradients, and the update of the weights.

Nothing in a step waits for the device. What only the host knows, such as the learning rate, is
written to the device in advance; losses and counts stay there until the loop reads them.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from framesweep.data.chunks import FrameChunks
from framesweep.data.utterance_chunks import UtteranceChunks
from framesweep.data.windows import Windows
from framesweep.training.components import TrainingComponents
from framesweep.training.cuda_graph import RecordedStep, can_record, record_step
from framesweep.training.state import RunningMetrics

TrainingData = Windows | FrameChunks | UtteranceChunks
"""The training split, in batches of windows, of chunks of neighboring frames, or of chunks of
utterances, each of a length of its own."""

Measures = tuple[Tensor, Tensor, Tensor, Tensor]
"""A batch's loss, and this rank's sum of losses, correct predictions and labelled frames."""

Measure = Callable[[Tensor], Measures]
"""Maps the (B,) int64 items of a batch to its measures."""


class TrainingStep:
    """Takes training steps: plainly, compiled, recorded as a CUDA graph, or both.

    All batches of a size are compiled or recorded together. Batches of another size, as the
    last one of an epoch, are computed plainly.

    Args:
        components: The network and what trains it, after a checkpoint has been loaded.
        train: The training data.
        sums: The sums to which each step adds its measures.
        constant_size: Whether the full batches of all epochs have one size.
    """

    def __init__(
        self,
        components: TrainingComponents,
        train: TrainingData,
        sums: RunningMetrics,
        *,
        constant_size: bool = True,
    ) -> None:
        self._components = components
        self.sums = sums
        self._plain: Measure = partial(measure_batch, components, train)
        varies = isinstance(train, UtteranceChunks)
        self._full = compile_measure(
            self._plain, components, constant_size=constant_size, varies=varies
        )
        self._records = can_record(components, constant_size=constant_size, varies=varies)
        self._recorded: RecordedStep | None = None

    def __call__(self, items: Tensor, *, is_full: bool) -> None:
        """Train on the (B,) int64 `items`.

        Args:
            items: The frames of a batch, or the first rows of its chunks, on the device; for
                `UtteranceChunks` their (B, 5) items, on the CPU.
            is_full: Whether the batch has the usual size.
        """
        average = self._components.average
        if average is not None:
            average.count_step()
        if is_full:
            self._take_full(items)
        else:
            self.compute(self._plain, items)
        self._components.schedule.step()

    def compute(self, measure: Measure, items: Tensor) -> None:
        """Do what a step does on the device; the counters of the host stay as they are."""
        loss, *measures = measure(items)
        update_weights(self._components, loss)
        if self._components.average is not None:
            self._components.average.update(self._components.model)
        self.sums.add(*measures)

    def _take_full(self, items: Tensor) -> None:
        step = partial(self.compute, self._full)
        if self._recorded is None and self._records:
            self._recorded = record_step(step, items, self._components, self.sums)
            self._records = self._recorded is not None
        (self._recorded or step)(items)


def compile_measure(
    measure: Measure,
    components: TrainingComponents,
    *,
    constant_size: bool,
    varies: bool = False,
) -> Measure:
    """Return `measure` as compiled by torch if hardware.compile is set, else as it is.

    Several processes exchange messages in a forward pass, and batches of utterances vary in
    length (`varies`), which one graph can't contain; then only the network is compiled, in as
    many parts as necessary.
    """
    if not components.hardware.compile:
        return measure
    if components.process_group.size > 1 or varies:
        components.model.compile()
        return measure
    # Without max-autotune: it chooses kernels by their speed, which would not be the same again
    # when the run is resumed.
    compiled: Measure = torch.compile(measure, fullgraph=True, dynamic=not constant_size)
    return compiled


def measure_batch(
    components: TrainingComponents, train: TrainingData, items: Tensor
) -> Measures:
    """Return the loss of the batch of `items` and its measures, as scalars on the device.

    The measures are those of this rank's rows; added up over the ranks, they are those of the
    batch.
    """
    borrow = isinstance(train, UtteranceChunks)  # torch's recurrent layers need a row
    items, shard = components.process_group.shard(items, borrow=borrow)
    inputs, labels, *lengths = train.batch(items, shard)
    if components.augment is not None:
        inputs = components.augment(inputs, shard)
    with components.hardware.autocast():
        # Without a shard the network may be any module, such as torch's own Sequential.
        several = shard is not None or lengths
        outputs = components.model(inputs, *((shard, *lengths) if several else ()))
        logits = outputs.float()
    loss = components.loss(logits, labels)
    correct = (logits.detach().argmax(dim=1) == labels).sum()
    num_frames = (labels >= 0).sum()
    # The loss is this rank's part of a mean over the whole batch: back to a sum.
    batch_frames = num_frames.clone()
    components.process_group.all_reduce_sum(batch_frames)
    return loss, loss.detach() * batch_frames, correct, num_frames


def update_weights(components: TrainingComponents, loss: Tensor) -> None:
    """Take an optimizer step along the gradients of `loss`, clipped as configured."""
    components.optimizer.zero_grad()
    components.hardware.backward(loss)
    components.process_group.all_reduce_gradients(components.model)
    components.hardware.unscale(components.optimizer)
    components.clip(components.model.parameters())
    components.hardware.step(components.optimizer)
