"""Rows on a device have the values of the store, in the type of the batches."""

import numpy as np
import pytest
import torch

from framesweep.data import device_rows
from framesweep.data.device_rows import DeviceRows

CPU = torch.device("cpu")
CONTEXT = 2


def make_rows(dim: int, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(50, dim)).astype(dtype)


@pytest.mark.parametrize("dim", [8, 13, 40])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_windows_rows_and_stretches_are_those_of_the_store(
    monkeypatch: pytest.MonkeyPatch, dim: int, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(device_rows, "UPLOAD_BYTES", 7 * 4 * dim)  # seven rows at a time
    rows = make_rows(dim)
    expected = torch.from_numpy(rows).to(dtype)
    found = DeviceRows(rows, CONTEXT, CPU, dtype)
    starts = torch.tensor([45, 0, 17])
    windows = torch.stack([expected[i : i + 2 * CONTEXT + 1].flatten() for i in starts])
    assert torch.equal(found.windows(starts), windows)
    assert torch.equal(found.take(starts), expected[starts])
    assert torch.equal(found.stretch(3, 20), expected[3:20].reshape(1, -1))
    for batch in (found.windows(starts), found.take(starts), found.stretch(3, 20)):
        assert batch.is_contiguous()
        assert batch.dtype == dtype


@pytest.mark.parametrize(
    ("dim", "dtype"), [(13, torch.float16), (40, torch.bfloat16), (5, torch.float32)]
)
def test_each_row_begins_at_a_multiple_of_sixteen_bytes(dim: int, dtype: torch.dtype) -> None:
    values = DeviceRows(make_rows(dim), CONTEXT, CPU, dtype).values
    assert values.stride(0) * values.itemsize % 16 == 0
    assert values.shape[1] - dim < 16 // dtype.itemsize
    assert not values[:, dim:].any()


def test_rows_that_float16_cannot_hold_stay_in_float32() -> None:
    rows = make_rows(8)
    rows[30, 3] = -40_000.0
    assert DeviceRows(rows, CONTEXT, CPU, torch.float16).dtype == torch.float32
    assert DeviceRows(rows, CONTEXT, CPU, torch.bfloat16).dtype == torch.bfloat16
    rows[30, 3] = -30_000.0
    assert DeviceRows(rows, CONTEXT, CPU, torch.float16).dtype == torch.float16
