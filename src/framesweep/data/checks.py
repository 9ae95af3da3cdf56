"""Rules that the features and labels of every utterance keep to."""

import numpy as np

from framesweep.data.corpus import Array
from framesweep.errors import DataError

MAX_CLASSES = 10_000
"""Labels are below this."""


def check_features(features: Array, where: str) -> Array:
    """(T, D) finite floats as float32; raises DataError for anything else."""
    array = np.asarray(features)
    if array.ndim != 2 or array.shape[1] == 0:
        raise DataError(where, "features must be of shape (T, D)", found=array.shape)
    if len(array) == 0:
        raise DataError(where, "must have at least one frame", fix="Leave it out.")
    if array.dtype.kind != "f":
        raise DataError(where, "features must be floating point", found=str(array.dtype))
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


def check_labels(labels: Array, num_frames: int, where: str) -> Array:
    """(T,) labels as int16; raises DataError for a wrong length, type or range."""
    array = np.asarray(labels)
    if array.shape != (num_frames,):
        raise DataError(
            where, f"labels must be of shape ({num_frames},), one a frame", found=array.shape
        )
    if array.dtype.kind not in "iu":
        raise DataError(where, "labels must be integers", found=str(array.dtype))
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= MAX_CLASSES:
        found = low if low < 0 else high
        raise DataError(where, f"labels must be from 0 to {MAX_CLASSES - 1}", found=found)
    return array.astype(np.int16)
