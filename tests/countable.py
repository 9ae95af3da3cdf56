"""Work whose every item can be told: for tests that hand functions to other processes."""

import os
from pathlib import Path

import numpy as np

from framesweep.errors import DataError


def frames(item, log=None, fail_at=None, labelled=True):
    """`item` frames of `item`; says which process made them in a file of `log`."""
    if log is not None:
        (Path(log) / f"{item}-{os.getpid()}").touch()
    if item == fail_at:
        raise DataError(f"item {item}", "must not be this one", found=item, fix="Leave it out.")
    labels = np.full(item, item, dtype=np.int16) if labelled else None
    return np.full((item, 2), item, dtype=np.float32), labels
