"""Gives each frame of stored features its label, whatever the two frame shifts are."""

import numpy as np
import numpy.typing as npt

from framesweep.config import SegmentsConfig
from framesweep.data.corpus import Array
from framesweep.errors import DataError

MAX_DIFFERENCE_S = 0.05
"""Seconds, in addition to one frame, by which features and labels may differ in length: they
round the ends of a recording differently."""


def stored_frame_centers(num_frames: int, config: SegmentsConfig) -> Array:
    """Return the (T,) times in seconds of the centers of stored frames."""
    return (config.first_center_ms + config.shift_ms * np.arange(num_frames)) / 1000


def align_frames(
    features: Array, labels: Array, config: SegmentsConfig, where: object
) -> tuple[Array, Array]:
    """Return features and labels of equal length.

    Without a rule of data.match_length, a frame gets the label of its number if the frame
    shifts are equal. Otherwise it gets the label whose center is the nearest, of two that are
    equally near the earlier one; the center of the first label is half a window after the
    start, as that of the first frame by default. The rules pair the frames and labels of equal
    numbers:

    - truncate leaves out the end of the longer of the two;
    - pad repeats the last frame or the last label of the shorter one;
    - repeat is the rule of S3PRL's phone probe (`downstream/phone_linear/expert.py`, Yang et
      al., "SUPERB", 2021): each frame is repeated as often as there are labels per frame,
      rounded, and the end is then cut, or the last frame repeated, to the number of labels.

    Args:
        features: (T, D).
        labels: (N,) integers, every data.label_shift_ms.
        where: the file of the labels, for error messages.

    Raises:
        DataError: without a rule, features and labels differ in length by more than one frame
            and MAX_DIFFERENCE_S.
    """
    match config.match_length:
        case "truncate":
            length = min(len(features), len(labels))
            return features[:length], labels[:length]
        case "pad":
            length = max(len(features), len(labels))
            return _fit(features, length), _fit(labels, length)
        case "repeat":
            factor = max(1, round(len(labels) / len(features)))
            return _fit(np.repeat(features, factor, axis=0), len(labels)), labels
    if difference := describe_difference(len(features), len(labels), config):
        fix = "Set data.shift_ms and data.label_shift_ms, or a rule: data.match_length."
        raise DataError(where, "labels must end with the features", found=difference, fix=fix)
    positions = _find_nearest(len(features), config)
    return features, labels[positions.clip(0, len(labels) - 1)]


def _find_nearest(num_frames: int, config: SegmentsConfig) -> npt.NDArray[np.int64]:
    """Return the (T,) numbers of the labels at the frames' centers, which may not exist."""
    if config.shift_ms == config.label_shift_ms:
        return np.arange(num_frames)
    behind_ms = 1000 * stored_frame_centers(num_frames, config) - config.window_ms / 2
    # What rounding adds to half a shift must not choose the later label.
    return np.ceil(behind_ms / config.label_shift_ms - 0.5 - 1e-6).astype(np.int64)


def describe_difference(num_frames: int, num_labels: int, config: SegmentsConfig) -> str:
    """Describe by how much features and labels differ in length; "" if it is only rounding."""
    features_s = (2 * config.first_center_ms + config.shift_ms * (num_frames - 1)) / 1000
    labels_s = num_labels * config.label_shift_ms / 1000
    if abs(features_s - labels_s) <= config.shift_ms / 1000 + MAX_DIFFERENCE_S:
        return ""
    return (
        f"{num_frames} frames of {config.shift_ms:g} ms, {num_labels} labels of "
        f"{config.label_shift_ms:g} ms"
    )


def _fit(array: Array, length: int) -> Array:
    """Return the first `length` rows; the last one is repeated if there are fewer."""
    return array[np.minimum(np.arange(length), len(array) - 1)]
