"""Evaluation of a network over one split, exact over its frames."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from framesweep.data.phones import PhoneSet
from framesweep.data.windows import Windows
from framesweep.distributed.collectives import SINGLE_PROCESS, ProcessGroup
from framesweep.evaluation.metrics import Evaluation, confusion_update
from framesweep.models.network import Network
from framesweep.system.hardware import Hardware

BATCH_FRAMES = 4096
"""Frames per batch in evaluation."""


def evaluate(
    model: nn.Module,
    windows: Windows,
    hardware: Hardware,
    phones: PhoneSet,
    process_group: ProcessGroup = SINGLE_PROCESS,
    posteriors: Tensor | None = None,
) -> Evaluation:
    """Run `model` over all frames of labelled `windows`, divided among the process group.

    Args:
        posteriors: (N, C) float32 on the CPU, in which the log-probabilities of the frames
            that are this rank's are left.
    """
    batches = forward(model, windows, hardware, process_group)
    return measure(batches, windows, hardware, phones, process_group, posteriors)


@torch.no_grad()
def measure(
    batches: Iterable[tuple[Tensor, Tensor]],
    windows: Windows,
    hardware: Hardware,
    phones: PhoneSet,
    process_group: ProcessGroup = SINGLE_PROCESS,
    posteriors: Tensor | None = None,
) -> Evaluation:
    """Compares (B,) frame numbers' (B, C) float32 logits, which `batches` gives, with labels.

    The other arguments are those of `evaluate`.
    """
    device = windows.device
    confusion = torch.zeros(len(phones), len(phones), dtype=torch.int64, device=device)
    loss_sum = torch.zeros((), dtype=hardware.sum_dtype, device=device)
    edges = torch.zeros(2, dtype=torch.int64, device=device)
    for frames, logits in batches:
        labels = windows.labels(frames)
        predictions = logits.argmax(dim=1)
        confusion_update(confusion, labels, predictions)
        loss_sum += functional.cross_entropy(logits, labels, reduction="sum")
        edge = windows.edges(frames)
        edges += torch.stack((edge & (labels == predictions), edge)).sum(dim=1)
        if posteriors is not None:
            posteriors[frames.cpu()] = logits.log_softmax(dim=1).cpu()
    process_group.all_reduce_sum(confusion, loss_sum, edges)
    edge_correct, num_edges = edges.tolist()
    return Evaluation(
        split=windows.name,
        confusion=confusion.cpu(),
        loss=float(loss_sum) / windows.num_frames,
        edge_correct=edge_correct,
        num_edges=num_edges,
        phones=phones,
    )


@torch.no_grad()
def forward(
    model: nn.Module,
    windows: Windows,
    hardware: Hardware,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields (B,) frame numbers and (B, C) float32 logits, over all frames in order.

    Of several ranks each gets every so many batches.
    """
    was_training = model.training
    model.eval()
    # Any other module works as well, such as torch's own Sequential.
    reads_chunks = isinstance(model, Network) and model.reads_chunks
    network = model.fused_eval(hardware.input_dtype) if isinstance(model, Network) else model
    first, every = process_group.rank * BATCH_FRAMES, process_group.size * BATCH_FRAMES
    for start in range(first, windows.num_frames, every):
        stop = min(start + BATCH_FRAMES, windows.num_frames)
        frames = torch.arange(start, stop, device=windows.device)
        with hardware.autocast():
            if reads_chunks:
                rows, places = windows.stretch(start, stop)
                logits = network(rows)[places]
            else:
                logits = network(windows.gather(frames))
        yield frames, logits.float()
    model.train(was_training)


def log_posteriors(
    model: nn.Module, windows: Windows, hardware: Hardware, num_classes: int
) -> Tensor:
    """(N, C) float32 log-probabilities on the CPU, frames in the split's order."""
    result = torch.empty(windows.num_frames, num_classes)
    for frames, logits in forward(model, windows, hardware):
        result[frames.cpu()] = logits.log_softmax(dim=1).cpu()
    return result
