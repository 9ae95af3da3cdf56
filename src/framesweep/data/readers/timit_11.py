"""Reads NTU ML 2021: windows of 11 frames of TIMIT that were cut before."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from framesweep.config.readers.ntu import Timit11Config
from framesweep.data.corpus import Array, Utterance
from framesweep.data.formats.npy import find_npy, load_npy
from framesweep.data.phones import PhoneSet
from framesweep.data.readers.course_root import (
    HOLDS_DATA,
    describe_other_course,
    open_course_root,
    stamp_course_files,
)
from framesweep.data.readers.ntu_labels import split_off_dev, to_class_numbers
from framesweep.data.readers.source_files import FilePath, find_phones, name_classes
from framesweep.errors import DataError

FRAMES = 11
"""Frames of each window."""
CHUNK = 8192
"""Windows that are compared at a time: some 14 MB."""
LAYOUT = "The layout is train_11.npy train_label_11.npy [test_11.npy] in data.root."


class Timit11Corpus:
    """Reads `train_11.npy`, (N, 11*D), `train_label_11.npy`, (N,), and `test_11.npy`.

    Row i is the window around frame i, so that a window that is its predecessor moved by one
    frame belongs to the same utterance. Utterances are put together again of the center
    frames: contexts are then those of any other corpus, 5 being what the course's windows
    have, and predictions keep the order of the rows. A share of the utterances,
    data.dev_share, forms dev.

    Raises:
        ConfigError: data.root is not set.
        DataError: a file is missing, or its rows are not windows that follow one another.
    """

    name = "timit_11"

    def __init__(self, config: Timit11Config) -> None:
        self._config = config
        self._root = open_course_root(config.root, HOLDS_DATA[self.name])
        self._files: dict[str, FilePath] = {}
        for name in ("train_11", "train_label_11", "test_11"):
            path = find_npy(self._root, name)
            if path is not None:
                self._files[name] = path
            elif name != "test_11":
                fix = describe_other_course(self._root, self.name) or LAYOUT
                raise DataError(self._root, f"must contain {name}.npy", fix=fix)

    def source_key(self) -> dict[str, Any]:
        """Return the stamps of all files, and the keys that change what is read."""
        phones = find_phones(self._root, self._config.phones)
        settings = (self._config.dev_share, self._config.max_utterances)
        files = stamp_course_files([*self._files.values(), phones])
        return {"files": files, "settings": settings}

    def splits(self) -> tuple[str, ...]:
        """Return train, dev, and test if it is present."""
        return ("train", "dev", "test") if "test_11" in self._files else ("train", "dev")

    def num_utterances(self, split: str) -> int | None:
        """Return None: utterances are found while they are read."""
        return None

    def utterances(self, split: str) -> Iterator[Utterance]:
        """Yield the utterances in the order of the rows; their ids are their first rows."""
        path = self._files["test_11" if split == "test" else "train_11"]
        windows = _load_windows(path)
        labels = None if split == "test" else self._load_labels(len(windows))
        bounds = find_utterances(windows, path)
        chosen = list(range(len(bounds) - 1))
        if split != "test":
            in_dev = split_off_dev(len(chosen), self._config.dev_share, path)
            chosen = [i for i in chosen if in_dev[i] == (split == "dev")]
        dim = windows.shape[1] // FRAMES
        center = slice(FRAMES // 2 * dim, (FRAMES // 2 + 1) * dim)
        for i in chosen[: self._config.max_utterances]:
            rows = slice(int(bounds[i]), int(bounds[i + 1]))
            part = None if labels is None else labels[rows]
            yield Utterance(f"{split}-{rows.start:07d}", windows[rows, center], part)

    def phone_set(self, num_classes: int) -> PhoneSet:
        """Return the names in the phone file, else numbers."""
        return name_classes(find_phones(self._root, self._config.phones), num_classes)

    def _load_labels(self, num_windows: int) -> Array:
        path = self._files["train_label_11"]
        labels = load_npy(path)
        if labels.shape != (num_windows,) or labels.dtype.kind not in "iuUO":
            rule = f"must contain {num_windows} integers or texts, a label for each window"
            raise DataError(path, rule, found=f"{labels.dtype} {labels.shape}")
        # The course stores the numbers as text.
        is_text = labels.dtype.kind in "UO"
        return to_class_numbers([str(x) for x in labels.tolist()], path) if is_text else labels


def find_utterances(windows: Array, where: object) -> Array:
    """Return the rows at which utterances begin, and the number of rows.

    Raises:
        DataError: most windows do not continue the one before.
    """
    dim = windows.shape[1] // FRAMES
    begins = np.ones(len(windows), dtype=bool)
    for start in range(1, len(windows), CHUNK):
        end = min(start + CHUNK, len(windows))
        begins[start:end] = (
            windows[start:end, :-dim] != windows[start - 1 : end - 1, dim:]
        ).any(1)
    if begins.sum() > len(windows) / 2:
        rule = "rows must be windows that follow one another, each moved by one frame"
        raise DataError(where, rule, found=f"{begins.sum()} breaks in {len(windows)} rows")
    return np.append(np.flatnonzero(begins), len(windows))


def _load_windows(path: FilePath) -> Array:
    windows = load_npy(path)
    if windows.ndim != 2 or windows.dtype.kind != "f" or not windows.size:
        rule = "must contain (N, 11*D) floating-point windows"
        raise DataError(path, rule, found=f"{windows.dtype} {windows.shape}")
    if windows.shape[1] % FRAMES:
        rule = f"a window must have {FRAMES} frames of equal size"
        raise DataError(path, rule, found=f"{windows.shape[1]} values")
    return windows
