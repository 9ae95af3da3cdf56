"""Evaluates a network on all frames of a split."""

from collections.abc import Callable, Iterable, Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from framesweep.data.phones import PhoneSet
from framesweep.data.windows import Windows
from framesweep.distributed.collectives import SINGLE_PROCESS, ProcessGroup
from framesweep.evaluation.host_rows import HostRows
from framesweep.evaluation.metrics import Evaluation, update_confusion
from framesweep.evaluation.phone_errors import PhonePaths
from framesweep.evaluation.sequences import SequenceClassifier
from framesweep.models.network import Network
from framesweep.models.sequence_network import SequenceNetwork
from framesweep.system.hardware import Hardware

BATCH_FRAMES = 4096
"""Frames per batch in evaluation on a CPU."""
DEVICE_BATCH_FRAMES = 65536
"""Frames per batch on an accelerator, which smaller batches would not keep busy."""
DEVICE_BATCH_BYTES = 1 << 29
"""Limit of the size of such a batch's windows: wide windows make smaller batches."""


def batch_frames(windows: Windows) -> int:
    """Return the number of frames per batch in evaluation on the device of the windows."""
    if windows.device.type == "cpu":
        return BATCH_FRAMES
    fitting = DEVICE_BATCH_BYTES // (windows.window_dim * windows.dtype.itemsize)
    return int(max(BATCH_FRAMES, min(fitting, DEVICE_BATCH_FRAMES)))


def evaluate(
    model: nn.Module,
    windows: Windows,
    hardware: Hardware,
    phones: PhoneSet,
    process_group: ProcessGroup = SINGLE_PROCESS,
    log_posteriors: Tensor | None = None,
) -> Evaluation:
    """Run a network on all frames of a labelled split, divided among the process group.

    Args:
        model: Maps (B, window_dim) windows to (B, C) logits.
        windows: The windows of the split's N frames.
        hardware: The precision to compute in.
        phones: The C phones.
        process_group: Its ranks take turns in evaluating batches.
        log_posteriors: (N, C) float32 on the CPU, or None. The log-probabilities of the frames
            that this rank evaluates are written into it.

    Returns:
        The counts of all ranks together.
    """
    batches = compute_logits(model, windows, hardware, process_group)
    return measure(batches, windows, hardware, phones, process_group, log_posteriors)


@torch.no_grad()
def measure(
    batches: Iterable[tuple[Tensor, Tensor]],
    windows: Windows,
    hardware: Hardware,
    phones: PhoneSet,
    process_group: ProcessGroup = SINGLE_PROCESS,
    log_posteriors: Tensor | None = None,
) -> Evaluation:
    """Compare logits with the labels of their frames.

    Args:
        batches: Yields (B,) frame numbers and their (B, C) float32 logits.
        windows, hardware, phones, process_group, log_posteriors: As in `evaluate`.
    """
    # Sums stay on the device, so that no batch waits for it.
    device = windows.device
    confusion = torch.zeros(len(phones), len(phones), dtype=torch.int64, device=device)
    loss_sum = torch.zeros((), dtype=hardware.sum_dtype, device=device)
    edges = torch.zeros(2, dtype=torch.int64, device=device)
    path = torch.zeros(windows.num_frames, dtype=torch.int32, device=device)
    host_rows = None if log_posteriors is None else HostRows(log_posteriors)
    for frames, logits in batches:
        labels = windows.labels(frames)
        predictions = logits.argmax(dim=1)
        update_confusion(confusion, labels, predictions)
        path[frames] = predictions.int()
        loss_sum += functional.cross_entropy(logits, labels, reduction="sum")
        edge = windows.edges(frames)
        edges += torch.stack((edge & (labels == predictions), edge)).sum(dim=1)
        if host_rows is not None:
            host_rows.add(frames, logits.log_softmax(dim=1))
    if host_rows is not None:
        host_rows.flush()
    # In the path, the frames of other ranks are 0.
    process_group.all_reduce_sum(confusion, loss_sum, edges, path)
    edge_correct, num_edges = edges.tolist()
    return Evaluation(
        split=windows.name,
        confusion=confusion.cpu(),
        loss=float(loss_sum) / windows.num_frames,
        edge_correct=edge_correct,
        num_edges=num_edges,
        phones=phones,
        paths=PhonePaths.from_frames(windows.all_labels, path, windows.lengths),
    )


@torch.no_grad()
def compute_logits(
    model: nn.Module,
    windows: Windows,
    hardware: Hardware,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (B,) frame numbers and their (B, C) float32 logits, in the order of the split.

    With several ranks, each yields every size-th batch, beginning with that of its number.
    The network is in evaluation mode meanwhile.
    """
    was_training = model.training
    model.eval()
    ranges, classify = _plan_batches(model, windows, hardware)
    ranges = ranges[process_group.rank :: process_group.size]
    for index, (start, stop) in enumerate(ranges):
        windows.hold_range((start, stop), next(iter(ranges[index + 1 : index + 2]), None))
        frames = torch.arange(start, stop, device=windows.device)
        with hardware.autocast():
            logits = classify(frames, start, stop)
        yield frames, logits.float()
    model.train(was_training)


def _plan_batches(
    model: nn.Module, windows: Windows, hardware: Hardware
) -> tuple[list[tuple[int, int]], Callable[[Tensor, int, int], Tensor]]:
    """Return the ranges of frames of all batches, and what computes the logits of a range.

    It takes the numbers of the frames as well, which the caller has on the device already.
    """
    size = batch_frames(windows)
    if isinstance(model, SequenceNetwork):
        classifier = SequenceClassifier(model, windows)
        return classifier.divide(size), lambda _, start, stop: classifier(start, stop)
    num_frames, dtype = windows.num_frames, hardware.input_dtype
    ranges = [(start, min(start + size, num_frames)) for start in range(0, num_frames, size)]
    # Any other module works as well, such as torch's own Sequential.
    together = model.stretch_eval(dtype) if isinstance(model, Network) else None
    if together is not None:
        return ranges, lambda _, start, stop: together(*windows.stretch(start, stop))
    network = model.fused_eval(dtype) if isinstance(model, Network) else model
    return ranges, lambda frames, _start, _stop: cast(Tensor, network(windows.gather(frames)))


def compute_log_posteriors(
    model: nn.Module, windows: Windows, hardware: Hardware, num_classes: int
) -> Tensor:
    """Return the (N, C) float32 log-probabilities of a split's frames, on the CPU."""
    result = torch.empty(windows.num_frames, num_classes)
    host_rows = HostRows(result)
    for frames, logits in compute_logits(model, windows, hardware):
        host_rows.add(frames, logits.log_softmax(dim=1))
    host_rows.flush()
    return result
