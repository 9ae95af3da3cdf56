"""CMU 11-785 HW1P2 since S22: a folder a partition, a file an utterance."""

import csv
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from framesweep.config import Hw1p2FoldersConfig
from framesweep.data.corpus import Utterance
from framesweep.data.formats.npy import load_npy
from framesweep.data.phones import PhoneSet
from framesweep.data.readers.source_files import (
    find_phones,
    inside,
    open_root,
    read_phones,
    stamps,
)
from framesweep.errors import DataError
from framesweep.system.progress_bars import track

FRAMING = frozenset({"[sos]", "<sos>", "[eos]", "<eos>"})
"""Marks around a transcript, lower case; no frames of their own."""

_LIBRISPEECH = re.compile(r"([0-9]+)-[0-9]+-[0-9]+")


class FoldersCorpus:
    """Reads `<partition>/mfcc/*.npy`, (T, D) floats, and `<partition>/transcript/*.npy`.

    A transcript is T names of phones, in `[SOS] ... [EOS]` or not. Utterances are in the order
    of their file names; those of test in the order of data.test_order where it is present.
    The test partition may lack transcripts, or be absent. Phones are numbered by data.phones or
    phonemes.txt, else sorted as found in all of train and dev. The speaker is the first number
    of a LibriSpeech name, `speaker-chapter-utterance.npy`, and unknown with any other.

    Raises:
        ConfigError: data.root is not given, or a partition or test_order leads out of it.
        DataError: a folder or file is missing.
    """

    name = "hw1p2_folders"

    def __init__(self, config: Hw1p2FoldersConfig) -> None:
        self._root = open_root(config.root)
        self._limit = config.max_utterances
        self._phones_file = find_phones(self._root, config.phones)
        self._order_file = self._find_order(config.test_order)
        self._features: dict[str, list[Path]] = {}
        self._transcripts: dict[str, list[Path]] = {}
        for split, partition in (
            ("train", config.train_partition),
            ("dev", config.dev_partition),
            ("test", config.test_partition),
        ):
            folder = inside(self._root, partition, f"data.{split}_partition")
            if split != "test" or folder.is_dir():
                self._list_split(split, folder)

    def source_key(self) -> dict[str, Any]:
        """Stamps of all files, and the limit."""
        files = [self._phones_file, self._order_file]
        for split in self._features:
            files += [*self._features[split], *self._transcripts[split]]
        return {"files": stamps(files), "max_utterances": self._limit}

    def splits(self) -> tuple[str, ...]:
        """Train, dev, and test where it is there."""
        return tuple(self._features)

    def num_utterances(self, split: str) -> int:
        """As many as the split has files, or the limit."""
        return len(self._features[split][: self._limit])

    def utterances(self, split: str) -> Iterator[Utterance]:
        """The utterances in order, named by their files."""
        transcripts = self._transcripts[split]
        for i, path in enumerate(self._features[split][: self._limit]):
            librispeech = _LIBRISPEECH.fullmatch(path.stem)
            yield Utterance(
                id=path.stem,
                features=load_npy(path),
                labels=self._labels(transcripts[i]) if transcripts else None,
                speaker=librispeech[1] if librispeech else "",
            )

    def phone_set(self, num_classes: int) -> PhoneSet:
        """The phones by which the transcripts are numbered, however many occur."""
        return self._phones

    @cached_property
    def _phones(self) -> PhoneSet:
        if self._phones_file is not None:
            return read_phones(self._phones_file)
        paths = self._transcripts["train"] + self._transcripts["dev"]
        names: set[str] = set()
        for path in track(paths, "Collecting phones", len(paths)):
            names.update(read_transcript(path))
        return PhoneSet(tuple(sorted(names)))

    def _labels(self, path: Path) -> Any:
        names = read_transcript(path)
        for name in set(names):
            if name not in self._phones:
                listed = self._phones_file or "the train and dev transcripts"
                raise DataError(path, f"phone must be in {listed}", found=name[:40])
        return np.fromiter(map(self._phones.id, names), dtype=np.int64, count=len(names))

    def _list_split(self, split: str, folder: Path) -> None:
        features = _list_npy(folder / "mfcc")
        if split == "test" and self._order_file is not None:
            features = _reorder(features, self._order_file)
        self._features[split] = list(features.values())
        self._transcripts[split] = []
        transcript = folder / "transcript"
        if split == "test" and not (transcript.is_dir() and any(transcript.iterdir())):
            return
        labels = _list_npy(transcript)
        for here, there, lacking in (
            (features, labels, transcript),
            (labels, features, folder / "mfcc"),
        ):
            if missing := sorted(here.keys() - there.keys()):
                raise DataError(
                    lacking,
                    "must have a file for every utterance; lacks " + ", ".join(missing[:3]),
                    found=f"{len(missing)} missing",
                )
        self._transcripts[split] = [labels[name] for name in features]

    def _find_order(self, test_order: str) -> Path | None:
        path = inside(self._root, test_order, "data.test_order")
        if path.is_file():
            return path
        if test_order != Hw1p2FoldersConfig().test_order:
            raise DataError(
                "data.test_order", "must be a file under data.root", found=test_order
            )
        return None


def read_transcript(path: Path) -> list[str]:
    """Names of the phones, one a frame, without the marks around them.

    Raises:
        DataError: the file does not hold a list of strings.
    """
    array = load_npy(path)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "latin-1")
    names = array.tolist() if array.ndim == 1 else []
    if array.ndim != 1 or not all(isinstance(name, str) for name in names):
        raise DataError(
            path, "must hold a list of phone names", found=f"{array.dtype} {array.shape}"
        )
    first = 1 if names and names[0].lower() in FRAMING else 0
    last = 1 if len(names) > first and names[-1].lower() in FRAMING else 0
    return names[first : len(names) - last]


def _list_npy(folder: Path) -> dict[str, Path]:
    """The .npy files in `folder` by name, sorted."""
    if not folder.is_dir():
        raise DataError(folder, "must be a folder of .npy files")
    paths = sorted(path for path in folder.glob("*.npy") if not path.name.startswith("."))
    return {path.name: path for path in paths}


def _reorder(files: dict[str, Path], order: Path) -> dict[str, Path]:
    """`files` as the CSV file `order` lists them in its column `file`, or in its only one."""
    try:
        with order.open(encoding="utf-8-sig", newline="") as handle:
            header, *rows = [row for row in csv.reader(handle) if row] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(order, f"must be a readable CSV file ({error})") from None
    if "file" not in header and len(header) != 1:
        raise DataError(order, "must have a column `file`", found=header[:5])
    column = header.index("file") if "file" in header else 0
    names = [row[column].strip() if len(row) > column else "" for row in rows]
    names = [name if name.endswith(".npy") else f"{name}.npy" for name in names]
    if len(set(names)) != len(names):
        raise DataError(order, "must list each file once")
    if unknown := [name for name in names if name not in files]:
        raise DataError(order, "must list files of the test partition", found=unknown[:3])
    if unlisted := sorted(files.keys() - set(names)):
        raise DataError(order, "must list every test file; lacks " + ", ".join(unlisted[:3]))
    return {name: files[name] for name in names}
