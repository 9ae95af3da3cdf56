"""Collective operations of the processes that train one network.

Every process, or rank, holds the same weights, draws the same order of frames, and has random
generators in the same state. The ranks divide each batch by rows, each into its own `Shard`:

- Sums over rows (batch-norm statistics, gradients, loss, correct predictions) are summed over
  the ranks.
- Random numbers (dropout, augmentation) are drawn for the whole batch on every rank, which
  then keeps those of its rows. This costs some redundant draws, but keeps the generators in
  step without communication. On GPUs dropout is a hash of each element's position instead,
  which a rank computes for its own rows; see `kernels.counter_dropout`.

The result of a run is therefore independent of the number of ranks, up to the order of
floating-point sums, and a run can be resumed with another number of them.
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


class ProcessGroup:
    """The processes that train one network; without arguments, this process alone.

    In a group of one, every method returns its argument or does nothing, so that callers need
    not tell one process from several.

    Args:
        rank: Number of this process, from 0; rank 0 writes checkpoints and tracks the run.
        size: Number of processes.
        store: The `torch.distributed.Store` through which the processes find each other.
        timeout_minutes: Longest time that a collective operation waits for another rank.
    """

    def __init__(
        self, rank: int = 0, size: int = 1, store: Any = None, timeout_minutes: float = 10
    ) -> None:
        self.rank = rank
        self.size = size
        self._store = store
        self._timeout_minutes = timeout_minutes
        self._pending_sums: list[dist.Work] = []

    def start(self, config: str, device: torch.device) -> None:
        """Let all ranks build what the YAML text `config` describes, and connect them.

        Only rank 0 of several does anything here (see `launch.MainProcessGroup`).
        """

    def init(self, device: torch.device) -> None:
        """Wait for all ranks and set up their communication for tensors on `device`.

        Raises:
            RankLostError: Another rank ended or stopped answering. Every method below raises
                it as well.
        """
        if self.size > 1:
            with _rank_lost_on_error():
                dist.init_process_group(
                    "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
                    store=self._store,
                    rank=self.rank,
                    world_size=self.size,
                    timeout=timedelta(minutes=self._timeout_minutes),
                )

    def barrier(self) -> None:
        """Wait until all ranks have reached this point."""
        if self.size > 1:
            with _rank_lost_on_error():
                dist.barrier()

    def destroy(self) -> None:
        """End this process's communication with the others, whatever they are doing."""
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()

    def shard(self, batch: Tensor, *, borrow: bool = False) -> tuple[Tensor, "Shard | None"]:
        """Return this rank's rows of a batch, and the shard that they are.

        The shard is None in a group of one, which has the whole batch. A batch may have fewer
        rows than there are ranks. A rank without any gets the first one with `borrow`, which
        another rank has as well; see `Shard.is_borrowed`.
        """
        if self.size == 1:
            return batch, None
        total = len(batch)
        first, end = (total * rank // self.size for rank in (self.rank, self.rank + 1))
        is_borrowed = borrow and first == end
        first, end = (0, 1) if is_borrowed else (first, end)
        shard = Shard(first, end - first, total, self, is_borrowed)
        return shard.select(batch), shard

    def all_reduce_sum(self, *tensors: Tensor) -> None:
        """Replace each tensor by its sum over the ranks."""
        if self.size > 1:
            with _rank_lost_on_error():
                for tensor in tensors:
                    dist.all_reduce(tensor)

    def all_gather(self, tensor: Tensor) -> Tensor:
        """Return the (N,) tensor of each rank, as (size, N) in the order of the ranks."""
        gathered = tensor.new_empty(self.size, *tensor.shape)
        if self.size == 1:
            return gathered.copy_(tensor)
        with _rank_lost_on_error():
            dist.all_gather(list(gathered.unbind()), tensor)
        return gathered

    def all_reduce_max(self, *values: float) -> tuple[float, ...]:
        """Return the maximum of each value over the ranks, for decisions that all share."""
        if self.size == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64)
        with _rank_lost_on_error():
            dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
        return tuple(tensor.tolist())

    def broadcast(self, value: Any) -> Any:
        """Return rank 0's value, which is pickled for the others."""
        if self.size == 1:
            return value
        box = [value]
        with _rank_lost_on_error():
            dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]

    def replicate(self, model: nn.Module) -> None:
        """Copy rank 0's weights to all ranks and register hooks that sum weight gradients.

        The gradient of a weight matrix starts to travel as soon as the backward pass has it,
        while earlier layers are still being computed; `all_reduce_gradients` waits for it.
        """
        if self.size > 1:
            with _rank_lost_on_error():
                for tensor in model.state_dict().values():
                    dist.broadcast(tensor, src=0)
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.register_post_accumulate_grad_hook(self._start_sum)  # type: ignore[no-untyped-call]

    def _start_sum(self, parameter: Tensor) -> None:
        assert parameter.grad is not None
        with _rank_lost_on_error():
            work = dist.all_reduce(parameter.grad, async_op=True)
        assert work is not None
        self._pending_sums.append(work)

    def all_reduce_gradients(self, model: nn.Module) -> None:
        """Replace the gradients by their sums over the ranks, those of the whole batch.

        Biases and norms have small gradients, which are sent as one message: each message
        costs more in latency than they do in bytes.
        """
        if self.size == 1:
            return
        vectors = [p.grad for p in model.parameters() if p.ndim <= 1 and p.grad is not None]
        if vectors:
            message = torch.cat(vectors)
            self.all_reduce_sum(message)
            parts = torch.split(message, [len(vector) for vector in vectors])
            torch._foreach_copy_(vectors, list(parts))
        with _rank_lost_on_error():
            for work in self._pending_sums:
                work.wait()
        self._pending_sums.clear()


SINGLE_PROCESS = ProcessGroup()
"""The group of a run of one process."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One rank's part of a batch: `num_rows` of its `total_rows`, from row `first` on.

    Whatever computes on a batch whose rows depend on each other (batch norm) or on random
    numbers (dropout, augmentation) takes a shard; None stands for a whole batch.

    Attributes:
        is_borrowed: Whether the only row belongs to another rank, so that it must not count.
    """

    first: int
    num_rows: int
    total_rows: int
    process_group: ProcessGroup = SINGLE_PROCESS
    is_borrowed: bool = False

    @classmethod
    def whole(cls, num_rows: int) -> "Shard":
        """Return the shard that is a whole batch, in a run of one process."""
        # Torch.compile cannot trace the default of the attribute, so the group is named here.
        return cls(0, num_rows, num_rows, SINGLE_PROCESS)

    def select(self, batch: Tensor) -> Tensor:
        """Return this rank's rows of a tensor that all ranks hold for the whole batch."""
        return batch[self.first : self.first + self.num_rows]

    def expand(self, number: int) -> "Shard":
        """Return the shard of a batch in which each row became `number` consecutive rows."""
        return Shard(
            self.first * number,
            self.num_rows * number,
            self.total_rows * number,
            self.process_group,
        )


@contextmanager
def _rank_lost_on_error() -> Iterator[None]:
    """Raise RankLostError for the RuntimeError that torch raises when a rank is gone."""
    try:
        yield
    except RuntimeError as error:
        # Torch's message begins with the place in its source and ends with advice on gloo and
        # NCCL; only its first sentence helps a user.
        reason = re.sub(r"^\[\S+\] ", "", str(error).strip().split("\n", maxsplit=1)[0])
        reason = reason.split(". ", maxsplit=1)[0]
        raise RankLostError(
            "another process of this run ended or stopped answering; the last checkpoint is "
            f"kept ({reason})"
        ) from error
