"""The rows of a split in the memory of an accelerator, ready to be gathered into batches."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesweep.data.row_stream import padded_width

UPLOAD_BYTES = 1 << 26
"""Rows that are copied and converted together, which limits the memory this takes."""
HALF_LIMIT = torch.finfo(torch.float16).max / 2
"""Largest magnitude of rows that are kept in float16; augmentation may add to it."""


class DeviceRows:
    """Rows in the type of the batches, each padded with zeros to a multiple of 16 bytes.

    On a CPU a batch is converted in portions that stay in the cache. An accelerator has no use
    for that: its time is spent on launching kernels, of which there would be two per portion.
    So the rows are converted once, when they are copied, and a batch is one `index_select`.

    Args:
        rows: (R, D) features of the store.
        context: Frames on each side of the center frame of a window.
        device: The accelerator.
        dtype: The wanted type. Rows that float16 cannot hold stay in float32.
    """

    def __init__(
        self,
        rows: npt.NDArray[np.floating],
        context: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        if dtype == torch.float16 and not _fit_into_half(rows):
            dtype = torch.float32
        self.dtype = dtype
        self._dim = rows.shape[1]
        self._window_frames = 2 * context + 1
        self.values = _upload(rows, device, dtype)
        width = self.values.shape[1]
        # Row n of the view starts one frame after row n - 1 and is a window long.
        self._view = self.values.as_strided(
            (len(rows) - 2 * context, self._window_frames * width), (width, 1)
        )

    def windows(self, starts: Tensor) -> Tensor:
        """Return the (B, window_dim) windows that begin at the (B,) int64 rows `starts`."""
        return self._drop_padding(self._view.index_select(0, starts))

    def take(self, rows: Tensor) -> Tensor:
        """Return the (N, D) rows of the given (N,) int64 numbers."""
        return self._drop_padding(self.values.index_select(0, rows))

    def stretch(self, begin: int, end: int) -> Tensor:
        """Return the rows from `begin` to `end`, one after the other, as (1, T * D)."""
        return self._drop_padding(self.values[begin:end]).reshape(1, -1)

    def _drop_padding(self, padded: Tensor) -> Tensor:
        width = self.values.shape[1]
        if width == self._dim:
            return padded
        rows = padded.view(len(padded), -1, width)[:, :, : self._dim]
        return rows.reshape(len(padded), -1).contiguous()


def _upload(rows: npt.NDArray[np.floating], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the rows on the device in another type, padded to whole 16-byte loads."""
    num_rows, dim = rows.shape
    values = torch.zeros(num_rows, padded_width(dim, dtype), dtype=dtype, device=device)
    portion = max(1, UPLOAD_BYTES // rows.strides[0])
    for first in range(0, num_rows, portion):
        part = torch.from_numpy(rows[first : first + portion]).to(device)
        values[first : first + portion, :dim] = part
    return values


def _fit_into_half(rows: npt.NDArray[np.floating]) -> bool:
    """Return whether float16 can hold the rows, and what augmentation adds to them."""
    portion = max(1, UPLOAD_BYTES // rows.strides[0])
    return all(
        float(np.abs(rows[first : first + portion]).max()) <= HALF_LIMIT
        for first in range(0, len(rows), portion)
    )
