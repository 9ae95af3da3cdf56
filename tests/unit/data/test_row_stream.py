"""Loads fill the slots of a stream in the order in which they were requested."""

import numpy as np
import pytest
import torch

from framesweep.data.row_stream import RowStream, padded_width

CPU = torch.device("cpu")
ROWS = np.arange(600, dtype=np.float32).reshape(200, 3)


def stream(dtype: torch.dtype = torch.float32, slots: int = 2) -> RowStream:
    return RowStream(ROWS, 20, slots, 8, CPU, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shifts_lead_from_a_row_of_the_store_to_its_copy(dtype):
    rows = stream(dtype)
    ranges = {5: (100, 107), 2: (0, 9), 7: (190, 194)}
    rows.load(1, list(ranges.values()), list(ranges))
    rows.wait(1)
    for index, (begin, end) in ranges.items():
        numbers = torch.arange(begin, end)
        copied = rows.values[numbers + rows.shifts[index]][:, :3]
        assert torch.equal(copied, torch.from_numpy(ROWS[begin:end]).to(dtype))
    assert not rows.values[:20].any(), "the other slot stays as it was"


def test_the_latest_of_many_loads_of_a_slot_counts():
    rows = stream(slots=3)
    for begin in range(0, 180, 10):
        rows.load(begin // 10 % 3, [(begin, begin + 20)])
    for slot in range(3):
        rows.wait(slot)
        begin = 150 + 10 * slot
        slot_rows = rows.values[20 * slot : 20 * slot + 20, :3]
        assert torch.equal(slot_rows, torch.from_numpy(ROWS[begin : begin + 20]))


def test_a_failed_read_is_raised_where_the_rows_are_needed():
    class Broken:
        shape = ROWS.shape

        def __getitem__(self, index):
            raise OSError("the disk is gone")

    rows = RowStream(Broken(), 20, 2, 8, CPU, torch.float32)  # type: ignore[arg-type]
    rows.load(0, [(0, 5)])
    with pytest.raises(OSError, match="the disk is gone"):
        rows.wait(0)


@pytest.mark.parametrize(
    ("dim", "dtype", "width"),
    [(40, torch.float32, 40), (15, torch.float32, 16), (28, torch.bfloat16, 32)],
)
def test_rows_begin_at_multiples_of_sixteen_bytes(dim, dtype, width):
    assert padded_width(dim, dtype) == width
