"""Validates the features and labels of each utterance before they are stored."""

import numpy as np

from framesweep.data.corpus import Array
from framesweep.errors import DataError

MAX_CLASSES = 10_000
"""Labels must be below this number."""


def validate_features(features: Array, where: str) -> Array:
    """Return (T, D) finite floats as float32.

    Args:
        features: whatever a reader or a user gave.
        where: the utterance, for error messages.

    Raises:
        DataError: the rank or the type is wrong, there are no frames, or a value is not finite.
    """
    array = np.asarray(features)
    if array.ndim != 2 or array.shape[1] == 0:
        raise DataError(where, "features must have shape (T, D)", found=array.shape)
    if len(array) == 0:
        raise DataError(where, "must have at least one frame", fix="Leave the utterance out.")
    if array.dtype.kind != "f":
        raise DataError(where, "features must be floating point", found=str(array.dtype))
    # A float64 beyond float32's range becomes infinite, which the next check reports.
    with np.errstate(over="ignore"):
        array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        frame, column = np.argwhere(~np.isfinite(array))[0]
        raise DataError(
            where,
            "features must be finite",
            found=f"{array[frame, column]} at frame {frame}, bin {column}",
        )
    return array


def validate_labels(labels: Array, num_frames: int, where: str) -> Array:
    """Return (num_frames,) labels as int16.

    Raises:
        DataError: the length, the type or a value is wrong.
    """
    array = np.asarray(labels)
    if array.shape != (num_frames,):
        raise DataError(
            where,
            f"labels must have shape ({num_frames},), one per frame",
            found=array.shape,
        )
    if array.dtype.kind not in "iu":
        raise DataError(where, "labels must be integers", found=str(array.dtype))
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= MAX_CLASSES:
        found = low if low < 0 else high
        raise DataError(where, f"labels must be from 0 to {MAX_CLASSES - 1}", found=found)
    return array.astype(np.int16)
