"""Reads CMU 11-785 HW1P2 since Spring 2022: folders with one file per utterance."""

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import PurePath
from typing import Any

import numpy as np

from framesweep.config import Hw1p2FoldersConfig
from framesweep.data.corpus import Utterance
from framesweep.data.formats.names import normalize_name
from framesweep.data.formats.npy import load_npy
from framesweep.data.phones import PhoneSet, number_as_course
from framesweep.data.readers.course_root import (
    describe_other_course,
    join_inside,
    open_course_root,
    stamp_course_files,
)
from framesweep.data.readers.hw1p2_order import reorder
from framesweep.data.readers.source_files import (
    FilePath,
    find_phones,
    read_phones,
)
from framesweep.errors import ConfigError, DataError
from framesweep.system.progress_bars import track

SENTENCE_MARKS = frozenset({"[sos]", "<sos>", "[eos]", "<eos>"})
"""Marks at the start and the end of a transcript, in lower case. They have no frames."""

_LIBRISPEECH_NAME = re.compile(r"([0-9]+)-[0-9]+-[0-9]+")


class Hw1p2FoldersCorpus:
    """Reads `<partition>/mfcc/*.npy`, (T, D) floats, and `<partition>/transcript/*.npy`.

    A transcript has one phone name per frame, with or without `[SOS]` and `[EOS]` around them.
    Utterances are sorted by file name; those of test follow the file data.test_order if there
    is one. The test partition may lack transcripts or be absent.

    Phones are numbered by data.phones or phonemes.txt. Without such a file, they are numbered
    as the course does if it knows all that occur in train and dev, and otherwise, or with
    data.phone_order=alphabetical, in alphabetical order. The speaker is the first number in a
    LibriSpeech file name, `speaker-chapter-utterance.npy`; with other names speakers are
    unknown.

    Raises:
        ConfigError: data.root is not set, a partition or test_order leads out of it, or dev or
            test is the partition of train.
        DataError: a folder or file is missing; test may be absent under its default name only.
    """

    name = "hw1p2_folders"

    def __init__(self, config: Hw1p2FoldersConfig) -> None:
        self._root = open_course_root(
            config.root,
            lambda folder: join_inside(
                folder, config.train_partition, "data.train_partition"
            ).is_dir(),
        )
        self._limit = config.max_utterances
        self._is_course_order = config.phone_order == "course"
        self._phones_file = find_phones(self._root, config.phones)
        self._order_file = self._find_order(config.test_order)
        self._features: dict[str, list[FilePath]] = {}
        self._transcripts: dict[str, list[FilePath]] = {}
        for split, partition in (
            ("train", config.train_partition),
            ("dev", config.dev_partition),
            ("test", config.test_partition),
        ):
            if split != "train" and PurePath(partition) == PurePath(config.train_partition):
                rule = "must be another folder than data.train_partition"
                raise ConfigError(f"data.{split}_partition", rule, found=partition)
            folder = join_inside(self._root, partition, f"data.{split}_partition")
            if split != "test" or self._has_test(folder, partition):
                self._list_split(split, folder)

    def source_key(self) -> dict[str, Any]:
        """Return the stamps of all files, the limit on utterances, and the course's order.

        With a file of phones, or in alphabetical order, the key is that of earlier versions,
        whose prepared corpora thus stay in use.
        """
        files: list[FilePath | None] = [self._phones_file, self._order_file]
        for split in self._features:
            files += [*self._features[split], *self._transcripts[split]]
        key: dict[str, Any] = {
            "files": stamp_course_files(files),
            "max_utterances": self._limit,
        }
        if self._phones_file is None and self._is_course_order:
            key["phone_order"] = "course"
        return key

    def splits(self) -> tuple[str, ...]:
        """Return train, dev, and test if it is present."""
        return tuple(self._features)

    def num_utterances(self, split: str) -> int:
        """Return the number of feature files in the split, or the limit if that is less."""
        return len(self._features[split][: self._limit])

    def utterances(self, split: str) -> Iterator[Utterance]:
        """Yield the utterances in order; the id is the file name without its suffix."""
        transcripts = self._transcripts[split]
        for i, path in enumerate(self._features[split][: self._limit]):
            librispeech = _LIBRISPEECH_NAME.fullmatch(_stem(path))
            yield Utterance(
                id=_stem(path),
                features=load_npy(path),
                labels=self._read_labels(transcripts[i]) if transcripts else None,
                speaker=librispeech[1] if librispeech else "",
            )

    def phone_set(self, num_classes: int) -> PhoneSet:
        """Return the phones that number the transcripts, whether or not all of them occur."""
        return self._phones

    @cached_property
    def _phones(self) -> PhoneSet:
        if self._phones_file is not None:
            return read_phones(self._phones_file)
        # All transcripts, whatever max_utterances says: the limit must not change the ids.
        paths = self._transcripts["train"] + self._transcripts["dev"]
        names: set[str] = set()
        for path in track(paths, "Collecting phones", len(paths)):
            names.update(read_transcript(path))
        course = number_as_course(names) if self._is_course_order else None
        return course or PhoneSet(tuple(sorted(names)))

    def _read_labels(self, path: FilePath) -> Any:
        names = read_transcript(path)
        # A transcript repeats each phone for hundreds of frames; check each once.
        for name in set(names):
            if name not in self._phones:
                source = self._phones_file or "the train and dev transcripts"
                raise DataError(path, f"all phones must occur in {source}", found=name[:40])
        return np.fromiter(map(self._phones.id, names), dtype=np.int64, count=len(names))

    def _has_test(self, folder: FilePath, partition: str) -> bool:
        if folder.is_dir():
            return True
        # The folder is optional under its default name only.
        if partition != Hw1p2FoldersConfig().test_partition:
            rule = "must be a folder in data.root"
            fix = _describe_layout(self._root)
            raise DataError("data.test_partition", rule, found=partition, fix=fix)
        return False

    def _list_split(self, split: str, folder: FilePath) -> None:
        features = _list_npy(folder / "mfcc", self._root)
        if split == "test" and self._order_file is not None:
            features = reorder(features, self._order_file)
        self._features[split] = list(features.values())
        self._transcripts[split] = []
        transcript_folder = folder / "transcript"
        # In the course's own folder of test, a sample submission may be all that there is.
        if split == "test" and not (
            transcript_folder.is_dir() and _list_npy(transcript_folder, self._root)
        ):
            return
        transcripts = _list_npy(transcript_folder, self._root)
        _require_same_names(features, transcripts, transcript_folder)
        _require_same_names(transcripts, features, folder / "mfcc")
        self._transcripts[split] = [transcripts[name] for name in features]

    def _find_order(self, test_order: str) -> FilePath | None:
        path = join_inside(self._root, test_order, "data.test_order")
        if path.is_file():
            return path
        # The file is optional under its default name only.
        if test_order != Hw1p2FoldersConfig().test_order:
            raise DataError(
                "data.test_order", "must be an existing file in data.root", found=test_order
            )
        return None


def read_transcript(path: FilePath) -> list[str]:
    """Return the phone names in a transcript, one per frame, without sentence marks.

    Raises:
        DataError: the file does not contain a list of strings.
    """
    array = load_npy(path)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "latin-1")
    names = array.tolist() if array.ndim == 1 else []
    if array.ndim != 1 or not all(isinstance(name, str) for name in names):
        raise DataError(
            path, "must contain a list of phone names", found=f"{array.dtype} {array.shape}"
        )
    names = list(map(normalize_name, names))
    # A lone mark is the first: it must not be removed a second time as the last.
    first = 1 if names and names[0].lower() in SENTENCE_MARKS else 0
    last = 1 if len(names) > first and names[-1].lower() in SENTENCE_MARKS else 0
    return names[first : len(names) - last]


def _list_npy(folder: FilePath, root: FilePath) -> dict[str, FilePath]:
    """Return the .npy files in `folder` by name, sorted."""
    if not folder.is_dir():
        raise DataError(folder, "must be a folder of .npy files", fix=_describe_layout(root))
    # macOS leaves a hidden ._NAME next to a file that it copied. Other files may be anything.
    names = [path for path in folder.iterdir() if path.name.endswith(".npy")]
    paths = sorted(
        (path for path in names if not path.name.startswith(".")), key=lambda path: path.name
    )
    named: dict[str, FilePath] = {}
    for path in paths:
        other = named.setdefault(normalize_name(path.name), path)
        if other is not path:
            rule = "must not have the name of another file in another Unicode form"
            raise DataError(path, rule, fix="Remove one of the two.")
    return named


def _require_same_names(
    files: dict[str, FilePath], others: dict[str, FilePath], folder: FilePath
) -> None:
    """Raise DataError if `others`, the files in `folder`, lack a name that `files` has."""
    if missing := sorted(files.keys() - others.keys()):
        raise DataError(
            folder,
            f"must contain a file for every utterance, such as {', '.join(missing[:3])}",
            found=f"{len(missing)} missing",
        )


def _stem(path: FilePath) -> str:
    return PurePath(path.name).stem


def _describe_layout(root: FilePath) -> str:
    """Return which folders are expected, or the option that reads what there is."""
    if other := describe_other_course(root, Hw1p2FoldersCorpus.name):
        return other
    partitions = sorted(f.name for f in root.iterdir() if f.is_dir() and (f / "mfcc").is_dir())
    there = f" There are {', '.join(partitions[:5])}." if partitions else ""
    return (
        "The layout is PARTITION/mfcc/*.npy and PARTITION/transcript/*.npy in data.root, with "
        "the partitions data.train_partition, data.dev_partition and data.test_partition."
        + there
    )
