"""Reads CMU 11-785 HW1P2 through Fall 2021: one object array of utterances per split."""

import zipfile
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from framesweep.config import Hw1p2Config
from framesweep.data.corpus import SPLITS, Array, Utterance
from framesweep.data.formats.array_buffers import to_native
from framesweep.data.formats.npy import find_npy, load_npy, open_npy, read_header
from framesweep.data.phones import ARPABET_71, PhoneSet
from framesweep.data.readers.course_root import (
    HOLDS_DATA,
    describe_other_course,
    open_course_root,
    stamp_course_files,
)
from framesweep.data.readers.source_files import (
    FilePath,
    find_phones,
    name_classes,
)
from framesweep.errors import DataError


class Hw1p2Corpus:
    """Reads `train.npy train_labels.npy dev.npy dev_labels.npy test.npy [test_labels.npy]`.

    Each file contains an object array with one (T, D) float array or one (T,) integer array per
    utterance. If all utterances have the same length it may instead be a plain array, (N, T, D)
    or (N, T). Each file may be a .npy.zip archive, or all may be in one zip file, which is
    read in place.

    Phones are named by the file data.phones or phonemes.txt. Without such a file, 71 classes
    are the ARPAbet phones, and other numbers of classes are named by their ids.

    Raises:
        ConfigError: data.root is not set.
        DataError: data.root or a file in it is missing.
    """

    name = "hw1p2"

    def __init__(self, config: Hw1p2Config) -> None:
        root = open_course_root(config.root, HOLDS_DATA[self.name])
        self._limit = config.max_utterances
        self._phones = find_phones(root, config.phones)
        self._files: dict[str, tuple[FilePath, FilePath | None]] = {}
        for split in SPLITS:
            features, labels = find_npy(root, split), find_npy(root, f"{split}_labels")
            for path, name in ((features, split), (labels, f"{split}_labels")):
                if path is None and split != "test":
                    rule = f"must contain {name}.npy or {name}.npy.zip"
                    raise DataError(root, rule, fix=_describe_layout(root))
            if features is not None:
                self._files[split] = (features, labels)

    def source_key(self) -> dict[str, Any]:
        """Return the stamps of all files, and the limit on utterances."""
        files = [path for pair in self._files.values() for path in pair]
        return {
            "files": stamp_course_files([*files, self._phones]),
            "max_utterances": self._limit,
        }

    def splits(self) -> tuple[str, ...]:
        """Return train, dev, and test if it is present."""
        return tuple(self._files)

    def num_utterances(self, split: str) -> int | None:
        """Return the number in the file's header; None for an archive."""
        path = self._files[split][0]
        if path.suffix == ".zip" or isinstance(path, zipfile.Path):
            return None
        shape = read_header(open_npy(path), path).shape
        return len(range(*shape[:1])[: self._limit]) if shape else 0

    def utterances(self, split: str) -> Iterator[Utterance]:
        """Yield the utterances in the file's order; their ids are their positions."""
        path, labels_path = self._files[split]
        features = _load(path)
        labels = None if labels_path is None else _load(labels_path)
        if labels is not None and len(labels) != len(features):
            raise DataError(
                labels_path,
                f"must have as many utterances as {path.name}, {len(features)}",
                found=len(labels),
            )
        for i in islice(range(len(features)), self._limit):
            yield Utterance(
                id=f"{split}-{i:05d}",
                features=_to_numbers(features[i], f"{path}, utterance {i}"),
                labels=None
                if labels is None
                else _to_numbers(labels[i], f"{labels_path}, utterance {i}"),
            )

    def phone_set(self, num_classes: int) -> PhoneSet:
        """Return the names in the phone file, else ARPAbet for 71 classes, else numbers."""
        if self._phones is None and num_classes == len(ARPABET_71):
            return ARPABET_71
        return name_classes(self._phones, num_classes)


def _load(path: FilePath) -> Array:
    array = load_npy(path)
    if array.ndim == 0:
        raise DataError(path, "must contain one array per utterance", found="a single value")
    return array


def _to_numbers(utterance: Any, where: str) -> Array:
    """Return one utterance as a numeric array.

    np.array() on a list of utterances of equal length makes one object array of rank 3, whose
    rows then hold Python numbers; convert those back.
    """
    if not isinstance(utterance, np.ndarray):
        raise DataError(where, "must be an array", found=type(utterance).__name__)
    if not utterance.dtype.hasobject:
        return to_native(utterance)
    # Check first: np.array() would turn numbers and text together into an array of text.
    for value in utterance.flat:
        if not isinstance(value, int | float | np.number | np.ndarray):
            raise DataError(where, "must contain only numbers", found=type(value).__name__)
    try:
        return np.array(utterance.tolist())
    except (ValueError, OverflowError) as error:
        raise DataError(where, f"must be one array of numbers ({error})") from None


def _describe_layout(root: FilePath) -> str:
    """Return which files are expected, or the option that reads those that there are."""
    return describe_other_course(root, Hw1p2Corpus.name) or (
        "The layout is train.npy train_labels.npy dev.npy dev_labels.npy test.npy in data.root."
    )
