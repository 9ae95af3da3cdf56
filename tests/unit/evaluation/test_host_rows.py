"""Rows that are copied from a device, which a subclass of Tensor on the CPU stands for."""

from typing import Any

import pytest
import torch
from torch import Tensor

from framesweep.evaluation import host_rows
from framesweep.evaluation.host_rows import HostRows


class DeviceTensor(Tensor):
    """A tensor that says it is on a GPU, and counts its copies to the CPU."""

    copies = 0

    @property
    def device(self) -> Any:  # type: ignore[override]
        return torch.device("cuda")

    def cpu(self, *args: Any, **kwargs: Any) -> Tensor:
        DeviceTensor.copies += 1
        return self.as_subclass(Tensor)


def _fill(rows: Tensor, values: Tensor, *, on_device: bool) -> None:
    target = HostRows(rows)
    for frames in torch.arange(len(values)).flip(0).split(3):
        parts = (frames, values[frames])
        target.add(*(part.as_subclass(DeviceTensor) if on_device else part for part in parts))
    target.flush()
    target.flush()


@pytest.mark.parametrize(("block_rows", "copies"), [(100, 1), (5, 2), (3, 4)])
def test_rows_from_a_device_arrive_in_few_copies(
    monkeypatch: pytest.MonkeyPatch, block_rows: int, copies: int
) -> None:
    values = torch.rand(10, 4)
    monkeypatch.setattr(host_rows, "BLOCK_BYTES", block_rows * 16)
    monkeypatch.setattr(DeviceTensor, "copies", 0)
    rows = torch.zeros(10, 4)
    _fill(rows, values, on_device=True)
    assert torch.equal(rows, values)
    assert DeviceTensor.copies == 2 * copies  # the numbers of the rows, and the rows


def test_rows_on_the_cpu_are_written_immediately() -> None:
    values, rows = torch.rand(10, 4), torch.zeros(10, 4)
    HostRows(rows).add(torch.tensor([7, 2]), values[[7, 2]])
    assert torch.equal(rows[[7, 2]], values[[7, 2]])
    _fill(rows, values, on_device=False)
    assert torch.equal(rows, values)
