"""Reads Kaldi's feature archives and frame alignments."""

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
    find_phones,
    name_classes,
    resolve_inside,
    resolve_root,
    stamp_files,
)
from framesweep.errors import DataError

log = logging.getLogger(__name__)

MAX_EXAMPLES = 5
"""Largest number of utterances that a message names."""


class KaldiCorpus:
    """Reads one folder per split: an index of features, and alignments as an index or as text.

    Utterances follow the order of the feature index. Those that lack features or labels, or
    have different numbers of both, are skipped with a warning; a share above data.max_missing
    is an error. Speakers are read from utt2spk if it exists.

    Raises:
        ConfigError: data.root is not set, or a folder leads out of it.
        DataError: a file is missing or malformed.
        UnsafeFileError: an index entry is a command to run.
    """

    name = "kaldi"

    def __init__(self, config: KaldiConfig) -> None:
        self._config = config
        root = resolve_root(config.root)
        self._phones = None
        if config.phones is not None:
            self._phones = Path(str(find_phones(root, str(root / config.phones))))
        self._splits: dict[str, _KaldiSplit] = {}
        for split, folder in (
            ("train", config.train),
            ("dev", config.dev),
            ("test", config.test),
        ):
            path = None if folder is None else resolve_inside(root, folder, f"data.{split}")
            if path is not None and (split != "test" or path.is_dir()):
                self._require_other_folder(split, path)
                self._splits[split] = _KaldiSplit(root, path, split, config)

    def _require_other_folder(self, split: str, folder: Path) -> None:
        """Raise DataError if an earlier split is the same folder, however it is spelled."""
        for name, other in self._splits.items():
            if other.folder.resolve() == folder.resolve():
                rule = f"must be another folder than data.{name}"
                raise DataError(f"data.{split}", rule, found=str(folder))

    def source_key(self) -> dict[str, Any]:
        """Return the stamps of the indices and of the archives that they name."""
        files = {self._phones}.union(*(split.files() for split in self._splits.values()))
        return {
            "files": stamp_files(sorted(path for path in files if path is not None)),
            "max_utterances": self._config.max_utterances,
        }

    def splits(self) -> tuple[str, ...]:
        """Return train, dev, and test if it is present."""
        return tuple(self._splits)

    def num_utterances(self, split: str) -> int:
        """Return the number of utterances with features and, if the split has any, labels."""
        return len(self._splits[split].ids)

    def utterances(self, split: str) -> Iterator[Utterance]:
        """Yield the utterances in the order of the feature index."""
        return self._splits[split].utterances()

    def phone_set(self, num_classes: int) -> PhoneSet:
        """Return the names in data.phones, else numbers."""
        return name_classes(self._phones, num_classes)


class _KaldiSplit:
    """The locations of one split's features, labels and speakers, by utterance id."""

    def __init__(self, root: Path, folder: Path, split: str, config: KaldiConfig) -> None:
        self._split, self._config, self.folder = split, config, folder
        self._index_file = folder / config.features
        self._labels_file: Path | None = folder / config.alignments
        # Course test sets come without alignments.
        if split == "test" and not self._labels_file.exists():
            self._labels_file = None
        if not self._index_file.exists():
            fix = f"data.{split} names its folder, and data.features the file."
            raise DataError(self._index_file, "must exist", fix=fix)
        self._features = read_index(self._index_file, root)
        self._labels = (
            {} if self._labels_file is None else locate_labels(self._labels_file, root)
        )
        self._speakers_file = folder / "utt2spk"
        self._speakers = read_pairs(self._speakers_file) if self._speakers_file.exists() else {}
        self.ids = list(self._features)
        if self._labels_file is not None:
            self.ids = [id for id in self.ids if id in self._labels]
            self._report_unmatched()
        self.ids = self.ids[: config.max_utterances]

    def files(self) -> set[Path]:
        locations = [*self._features.values(), *self._labels.values()]
        files = {self._index_file, self._labels_file, self._speakers_file}
        # Archives too: an index stays the same when its archive is written again.
        files |= {place.file for place in locations if isinstance(place, ArrayLocation)}
        return {path for path in files if path is not None and path.exists()}

    def utterances(self) -> Iterator[Utterance]:
        # Lengths are known only once the arrays are read, so the share is checked as it grows.
        mismatched: list[str] = []
        for id in self.ids:
            features = read_array(self._features[id])
            labels = None if self._labels_file is None else self._read_labels(id)
            if labels is not None and len(labels) != len(features):
                mismatched.append(id)
                self._require_few(mismatched, "have different numbers of features and labels")
                continue
            yield Utterance(id, features, labels, self._speakers.get(id, ""))
        self._warn(mismatched, "have different numbers of features and labels")

    def _read_labels(self, id: str) -> Array:
        location = self._labels[id]
        if isinstance(location, ArrayLocation):
            return read_array(location)
        assert self._labels_file is not None
        return read_text_labels(self._labels_file, location)

    def _report_unmatched(self) -> None:
        without_labels = [id for id in self._features if id not in self._labels]
        without_features = [id for id in self._labels if id not in self._features]
        self._require_few(without_labels + without_features, "lack features or labels")
        self._warn(without_labels, "have features but no labels")
        self._warn(without_features, "have labels but no features")

    def _require_few(self, ids: list[str], problem: str) -> None:
        """Raise DataError if more than data.max_missing of all utterances have a problem."""
        total = len(self._features.keys() | self._labels.keys())
        if len(ids) > self._config.max_missing * total:
            raise DataError(
                "data.max_missing",
                f"at most {self._config.max_missing:.0%} of {self._split} may {problem}",
                found=f"{len(ids)} of {total}: {', '.join(ids[:MAX_EXAMPLES])}",
                fix="Raise data.max_missing to leave more out.",
            )

    def _warn(self, ids: list[str], problem: str) -> None:
        if ids:
            examples = ", ".join(ids[:MAX_EXAMPLES])
            log.warning(
                "%s: skipping utterances that %s (%d): %s",
                self._split,
                problem,
                len(ids),
                examples,
            )
