"""Reads NTU ML 2022 and 2023: LibriSpeech features with a phone per frame."""

from collections import Counter
from collections.abc import Iterator
from itertools import compress
from pathlib import Path
from typing import Any

from framesweep.config.readers.ntu import LibriphoneConfig
from framesweep.data.corpus import Utterance
from framesweep.data.formats.frame_labels import read_frame_labels
from framesweep.data.formats.master_files import Part, index_master_file
from framesweep.data.formats.stored_features import read_feature_file
from framesweep.data.phones import PhoneSet
from framesweep.data.readers.course_root import (
    describe_other_course,
    open_course_root,
    stamp_course_files,
)
from framesweep.data.readers.ntu_labels import split_off_dev, to_class_numbers
from framesweep.data.readers.source_files import FilePath, find_phones, name_classes, read_lines
from framesweep.errors import DataError

LABELS, TRAIN, TEST = "train_labels.txt", "train_split.txt", "test_split.txt"

LAYOUT = (
    f"The layout is {LABELS} {TRAIN} [{TEST}] feat/train/*.pt [feat/test/*.pt] in data.root."
)


class LibriphoneCorpus:
    """Reads `feat/{train,test}/*.pt`, `train_labels.txt`, `train_split.txt`, `test_split.txt`.

    A tensor has shape (T, D). A line of the labels is `UTTERANCE CLASS CLASS ...`, and the
    splits list utterances, whose order in test is that of the submission. A share of train,
    data.dev_share, forms dev. The speaker is the first number of LibriSpeech's ids,
    `speaker-chapter-utterance`.

    Raises:
        ConfigError: data.root is not set.
        DataError: a file is missing or malformed, or an utterance lacks labels.
    """

    name = "libriphone"

    def __init__(self, config: LibriphoneConfig) -> None:
        root = open_course_root(config.root, _holds_data)
        if not isinstance(root, Path):
            raise DataError("data.root", "must be a folder", found=config.root, fix="Unzip it.")
        for name in (LABELS, TRAIN):
            if not (root / name).is_file():
                fix = describe_other_course(root, self.name) or LAYOUT
                raise DataError(root, f"must contain {name}", fix=fix)
        self._root, self._config = root, config
        self._parts = index_master_file(root / LABELS)
        train = _read_split(root / TRAIN)
        if missing := [id for id in train if id not in self._parts]:
            rule = f"must have a line for each utterance of {TRAIN}"
            fix = f"Leave the utterance out of {TRAIN}, or add its line."
            raise DataError(root / LABELS, rule, found=f"none for {missing[0]}", fix=fix)
        in_dev = split_off_dev(len(train), config.dev_share, root / TRAIN)
        splits = {
            "train": list(compress(train, [not dev for dev in in_dev])),
            "dev": list(compress(train, in_dev)),
        }
        if (root / TEST).is_file():
            splits["test"] = _read_split(root / TEST)
        limit = config.max_utterances
        self._splits = {name: ids[:limit] for name, ids in splits.items()}
        for split, ids in self._splits.items():
            self._require_features(split, ids)

    def source_key(self) -> dict[str, Any]:
        """Return the stamps of all files, and the keys that change what is read."""
        files = [
            self._feature_file(split, id) for split in self._splits for id in self.ids(split)
        ]
        files += [self._root / name for name in (LABELS, TRAIN)]
        files += [self._root / TEST] if "test" in self._splits else []
        phones = find_phones(self._root, self._config.phones)
        stamps = stamp_course_files([*files, phones])
        settings = (self._config.dev_share, self._config.max_utterances)
        return {"files": stamps, "settings": settings}

    def splits(self) -> tuple[str, ...]:
        """Return train, dev, and test if it is present."""
        return tuple(self._splits)

    def ids(self, split: str) -> list[str]:
        """Return the ids of the utterances in the order of the course's file."""
        return self._splits[split]

    def num_utterances(self, split: str) -> int:
        """Return the number of utterances in the split."""
        return len(self._splits[split])

    def utterances(self, split: str) -> Iterator[Utterance]:
        """Yield the utterances in the order of the course's file."""
        for id in self._splits[split]:
            features = read_feature_file(self._feature_file(split, id))
            part = None if split == "test" else self._parts[id]
            labels = None if part is None else self._read_labels(id, part)
            yield Utterance(id, features, labels, id.split("-")[0] if "-" in id else "")

    def phone_set(self, num_classes: int) -> PhoneSet:
        """Return the names in the phone file, else numbers."""
        return name_classes(find_phones(self._root, self._config.phones), num_classes)

    def _require_features(self, split: str, ids: list[str]) -> None:
        """Raise DataError if the file of an utterance is missing."""
        for id in ids:
            if not (path := self._feature_file(split, id)).is_file():
                name = TEST if split == "test" else TRAIN
                fix = f"Copy it there, or leave {id} out of {name}."
                raise DataError(path, f"must be a file, because {name} lists it", fix=fix)

    def _read_labels(self, id: str, part: Part) -> Any:
        file = self._root / LABELS
        return to_class_numbers(read_frame_labels(file, part), f"{file}, utterance {id}")

    def _feature_file(self, split: str, id: str) -> Path:
        folder = "test" if split == "test" else "train"
        return self._root / "feat" / folder / f"{id}.pt"


def _holds_data(folder: FilePath) -> bool:
    return (folder / LABELS).is_file() or (folder / "feat").is_dir()


def _read_split(path: Path) -> list[str]:
    """Return the utterances that a file lists, one per line."""
    ids = [id for line in read_lines(path, LAYOUT) for id in line.split()]
    repeated = [id for id, count in Counter(ids).items() if count > 1]
    unusual = [id for id in ids if "/" in id or id.endswith(".pt")]
    if not ids or repeated or unusual:
        rule = "must list each utterance once, by its id, without folder and suffix"
        raise DataError(path, rule, found=(repeated or unusual)[:2])
    return ids
