"""Metrics of predictions that were smoothed along time."""

import torch

from framesweep.data.corpus import Array
from framesweep.data.phones import PhoneSet, find_foldings
from framesweep.data.store.frame_store import Split
from framesweep.evaluation.phone_errors import (
    PhonePaths,
    compute_phone_error_rate,
    fold_phones,
    merge_silences,
)


def measure_smoothed(path: Array, split: Split, phones: PhoneSet) -> dict[str, float]:
    """Return the accuracy and the phone error rates of smoothed predictions.

    Args:
        path: (N,) ids of the predicted phones.
        split: The labelled split with these N frames.
        phones: The C phones.

    Returns:
        The metrics by name, such as `dev/smoothed_accuracy`.
    """
    assert split.labels is not None
    frames = (split.labels, path, split.lengths)
    paths = PhonePaths.from_frames(
        *(torch.from_numpy(array.astype("int64")) for array in frames)
    )
    prefix = f"{split.name}/smoothed"
    return {
        f"{prefix}_accuracy": float((path == split.labels).mean()),
        f"{prefix}_phone_error_rate": compute_phone_error_rate(paths, merge_silences(phones)),
        **{
            f"{prefix}_phone_error_rate_{folding.name}": compute_phone_error_rate(
                paths, fold_phones(phones, folding)
            )
            for folding in find_foldings(phones)
        },
    }
