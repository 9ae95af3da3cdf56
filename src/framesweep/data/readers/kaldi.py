"""Kaldi's feature archives and frame alignments."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from framesweep.config import KaldiConfig
from framesweep.data.corpus import Array, Utterance
from framesweep.data.formats.kaldi import (
    ArrayLocation,
    locate_labels,
    read_array,
    read_index,
    read_pairs,
    read_text_labels,
)
from framesweep.data.phones import PhoneSet
from framesweep.data.readers.source_files import (
    check_share,
    find_phones,
    inside,
    open_root,
    read_phones,
    stamps,
)
from framesweep.errors import DataError

log = logging.getLogger(__name__)

NAMED = 5
"""Examples that a message names."""


class KaldiCorpus:
    """Reads a folder a split: an index of features, and alignments as an index or as text.

    Utterances come in the order of the features' index. Those that lack features or labels,
    or whose two lengths differ, are left out and told; more than data.max_missing of them is
    an error. Speakers come from utt2spk where it is there.

    Raises:
        ConfigError: data.root is not given, or a folder leads out of it.
        DataError: a file is missing or broken.
        UnsafeFileError: an index asks to run a program.
    """

    name = "kaldi"

    def __init__(self, config: KaldiConfig) -> None:
        self._config = config
        check_share("data.max_missing", config.max_missing)
        root = open_root(config.root)
        self._phones = None
        if config.phones is not None:
            self._phones = find_phones(root, str(root / config.phones))
        self._splits: dict[str, _KaldiSplit] = {}
        for split, folder in (
            ("train", config.train),
            ("dev", config.dev),
            ("test", config.test),
        ):
            path = None if folder is None else inside(root, folder, f"data.{split}")
            if path is not None and (split != "test" or path.is_dir()):
                self._splits[split] = _KaldiSplit(root, path, split, config)

    def source_key(self) -> dict[str, Any]:
        """Stamps of the indices and of the archives that they name."""
        files = {self._phones}.union(*(split.files() for split in self._splits.values()))
        return {
            "files": stamps(sorted(path for path in files if path is not None)),
            "max_utterances": self._config.max_utterances,
        }

    def splits(self) -> tuple[str, ...]:
        """Train, dev, and test where it is there."""
        return tuple(self._splits)

    def num_utterances(self, split: str) -> int:
        """Utterances with features and, where the split has them, labels."""
        return len(self._splits[split].ids)

    def utterances(self, split: str) -> Iterator[Utterance]:
        """The utterances in the order of the features' index."""
        return self._splits[split].utterances()

    def phone_set(self, num_classes: int) -> PhoneSet:
        """Names from data.phones, else numbers."""
        return (
            PhoneSet.numbered(num_classes)
            if self._phones is None
            else read_phones(self._phones)
        )


class _KaldiSplit:
    """One folder: where each utterance's features and labels lie."""

    def __init__(self, root: Path, folder: Path, split: str, config: KaldiConfig) -> None:
        self._split, self._config = split, config
        self._index_file = folder / config.features
        self._labels_file: Path | None = folder / config.alignments
        if split == "test" and not self._labels_file.exists():
            self._labels_file = None
        self._features = read_index(self._index_file, root)
        self._labels = (
            {} if self._labels_file is None else locate_labels(self._labels_file, root)
        )
        self._speakers_file = folder / "utt2spk"
        self._speakers = read_pairs(self._speakers_file) if self._speakers_file.exists() else {}
        self.ids = list(self._features)
        if self._labels_file is not None:
            self.ids = [id for id in self.ids if id in self._labels]
            self._tell_missing()
        self.ids = self.ids[: config.max_utterances]

    def files(self) -> set[Path]:
        places = [*self._features.values(), *self._labels.values()]
        files = {self._index_file, self._labels_file, self._speakers_file}
        files |= {place.file for place in places if isinstance(place, ArrayLocation)}
        return {path for path in files if path is not None and path.exists()}

    def utterances(self) -> Iterator[Utterance]:
        uneven: list[str] = []
        for id in self.ids:
            features = read_array(self._features[id])
            labels = None if self._labels_file is None else self._read_labels(id)
            if labels is not None and len(labels) != len(features):
                uneven.append(id)
                self._check_share(uneven, "differ in length between features and labels")
                continue
            yield Utterance(id, features, labels, self._speakers.get(id, ""))
        self._tell(uneven, "differ in length between features and labels")

    def _read_labels(self, id: str) -> Array:
        place = self._labels[id]
        if isinstance(place, ArrayLocation):
            return read_array(place)
        assert self._labels_file is not None
        return read_text_labels(self._labels_file, place)

    def _tell_missing(self) -> None:
        without_labels = [id for id in self._features if id not in self._labels]
        without_features = [id for id in self._labels if id not in self._features]
        self._check_share(without_labels + without_features, "lack features or labels")
        self._tell(without_labels, "have features and no labels")
        self._tell(without_features, "have labels and no features")

    def _check_share(self, ids: list[str], what: str) -> None:
        total = len(self._features.keys() | self._labels.keys())
        if len(ids) > self._config.max_missing * total:
            raise DataError(
                "data.max_missing",
                f"at most {self._config.max_missing:.0%} of {self._split} may {what}",
                found=f"{len(ids)} of {total}: {', '.join(ids[:NAMED])}",
            )

    def _tell(self, ids: list[str], what: str) -> None:
        if ids:
            named = ", ".join(ids[:NAMED])
            log.warning(
                "%s: %d utterances %s and are left out: %s", self._split, len(ids), what, named
            )
