"""What the readers of NTU's course data share: class numbers, phone names and the dev split."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from framesweep.data.corpus import Array
from framesweep.data.readers.segments_splits import assign_evenly
from framesweep.data.readers.source_files import FilePath, is_number
from framesweep.errors import DataError


def to_class_numbers(names: Sequence[str], where: object) -> Array:
    """Return labels that are stored as text as (T,) integers.

    Raises:
        DataError: a label is not a class number.
    """
    for name in dict.fromkeys(names):
        if not is_number(name):
            raise DataError(where, "labels must be class numbers", found=name[:40])
    return np.array([int(name) for name in names], dtype=np.int64)


def split_off_dev(num_utterances: int, share: float, where: Path | FilePath) -> list[bool]:
    """Return which utterances of train form dev; they are spread evenly.

    Raises:
        DataError: one of the two would be empty.
    """
    in_dev = [split == "dev" for split in assign_evenly(num_utterances, share, 0.0)]
    if not any(in_dev) or all(in_dev):
        rule = "must leave utterances for both train and dev"
        raise DataError(
            "data.dev_share", rule, found=f"{share:g} of {num_utterances} in {where.name}"
        )
    return in_dev
