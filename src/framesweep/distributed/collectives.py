"""One network trained by several processes: what they share out and what they sum up.

Each process, or rank, holds the same weights, the same order of frames and generators in the
same state. A batch is shared out by rows. What is summed over rows (batch norm's statistics,
gradients, loss, hits) is summed over the ranks; what is drawn by chance is drawn for the whole
batch by each of them, and a rank keeps its rows. So a run comes out the same however many
ranks train it, but for the order of sums, and any number of them can go on with it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from framesweep.errors import RankLostError


@dataclass(frozen=True, slots=True)
class Share:
    """A rank's part of a batch: `rows` of its `total` rows, from row `first` on."""

    first: int
    rows: int
    total: int

    def of(self, batch: Tensor) -> Tensor:
        """This rank's rows of something that all ranks have for the whole batch."""
        return batch[self.first : self.first + self.rows]


_share: Share | None = None


def share() -> Share | None:
    """This rank's part of the batch in training; None in a run of one process."""
    return _share


def share_of(rows: Tensor) -> Share:
    """Which part of the batch in training these rows are; all of it in a run of one process."""
    return _share or Share(0, len(rows), len(rows))


@contextmanager
def rows_times(number: int) -> Iterator[None]:
    """Within it each row of the batch in training counts as `number` rows in a row."""
    global _share  # noqa: PLW0603
    part = _share
    if part is not None:
        _share = Share(part.first * number, part.rows * number, part.total * number)
    try:
        yield
    finally:
        _share = part


class ProcessGroup:
    """The processes that train one network; a single one, without arguments.

    Attributes:
        rank: this one's number; rank 0 keeps the checkpoints and speaks for all.
        size: how many there are.
    """

    def __init__(
        self, rank: int = 0, size: int = 1, store: Any = None, minutes: float = 10
    ) -> None:
        self.rank = rank
        self.size = size
        self._store = store
        self._minutes = minutes
        self._sums: list[dist.Work] = []

    def begin(self, config: str, device: torch.device) -> None:
        """In the first rank of several: starts them all on what `config` says."""

    def meet(self, device: torch.device) -> None:
        """Waits until all ranks have come here; from then on they go in step.

        Raises:
            RankLostError: as everything after it that is done together.
        """
        if self.size > 1:
            with _together():
                dist.init_process_group(
                    "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
                    store=self._store,
                    rank=self.rank,
                    world_size=self.size,
                    timeout=timedelta(minutes=self._minutes),
                )

    def part(self) -> None:
        """Waits until all ranks are done together."""
        if self.size > 1:
            with _together():
                dist.barrier()
            self.leave()

    def leave(self) -> None:
        """Goes alone from here on, whatever the others do."""
        global _share  # noqa: PLW0603
        _share = None
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()

    def take(self, batch: Tensor) -> Tensor:
        """This rank's rows of a batch, which it is about to train on."""
        global _share  # noqa: PLW0603
        if self.size == 1:
            return batch
        total = len(batch)
        first, end = (total * rank // self.size for rank in (self.rank, self.rank + 1))
        _share = Share(first, end - first, total)
        return _share.of(batch)

    def add_up(self, *tensors: Tensor) -> None:
        """Replaces each tensor by its sum over the ranks."""
        if self.size > 1:
            for tensor in tensors:
                sum_ranks(tensor)

    def largest(self, *values: float) -> tuple[float, ...]:
        """The largest of each value among the ranks, so that all decide alike."""
        if self.size == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64)
        with _together():
            dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
        return tuple(tensor.tolist())

    def first_s(self, value: Any) -> Any:
        """What rank 0 has for a value."""
        if self.size == 1:
            return value
        box = [value]
        with _together():
            dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]

    def watch(self, model: nn.Module) -> None:
        """Gives all ranks the first's weights, and from now on sums up the gradients of weight
        matrices as soon as a backward pass has them."""
        if self.size > 1:
            with _together():
                for tensor in model.state_dict().values():
                    dist.broadcast(tensor, src=0)
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.register_post_accumulate_grad_hook(self._start_sum)  # type: ignore[no-untyped-call]

    def _start_sum(self, parameter: Tensor) -> None:
        assert parameter.grad is not None
        with _together():
            work = dist.all_reduce(parameter.grad, async_op=True)
        assert work is not None
        self._sums.append(work)

    def sum_gradients(self, model: nn.Module) -> None:
        """Makes the gradients those of the whole batch; vectors go in one message."""
        if self.size == 1:
            return
        vectors = [p.grad for p in model.parameters() if p.ndim <= 1 and p.grad is not None]
        if vectors:
            message = torch.cat(vectors)
            sum_ranks(message)
            parts = torch.split(message, [len(vector) for vector in vectors])
            torch._foreach_copy_(vectors, list(parts))
        with _together():
            for work in self._sums:
                work.wait()
        self._sums.clear()


ALONE = ProcessGroup()


def sum_ranks(tensor: Tensor) -> None:
    """Replaces a tensor by its sum over the ranks; raises RankLostError."""
    with _together():
        dist.all_reduce(tensor)


@contextmanager
def _together() -> Iterator[None]:
    """Around what all ranks do together: where one is gone, torch raises RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        # Without the place in torch's source, and what it says beyond one sentence.
        reason = re.sub(r"^\[\S+\] ", "", str(error).strip().split("\n", maxsplit=1)[0])
        reason = reason.split(". ", maxsplit=1)[0]
        raise RankLostError(
            "another process of this run ended or stopped answering; the last checkpoint is "
            f"kept ({reason})"
        ) from error
