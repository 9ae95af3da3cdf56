"""Prepares a corpus once: reads it, validates it, and keeps it as flat arrays on disk.

A prepared corpus is a folder `<format>-<key>` with

    meta.json                 format version, phones, feature size, content digest, splits
    <split>.features          (N, D) float32, utterances in succession
    <split>.labels            (N,) int16; absent if the split has no labels
    <split>.lengths           (U,) int64, frames of each utterance
    <split>.utterances.json   [[id, speaker], ...]
    checksums.json            of the files above; see `framesweep.system.checksums`

The key is a fingerprint of the source: a hash of the files' sizes and modification times and of
the settings that change what is read. Changing any of them leads to another folder, so that a
stale one is never used and nothing needs to be invalidated. The folder is written under a
hidden name and renamed when it is complete. Under its own name it is thus never incomplete,
even if the process is killed, or if several processes prepare the same corpus together.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framesweep.data.corpus import Array, Corpus, Resumable
from framesweep.data.phones import PhoneSet
from framesweep.data.store.integrity import damaged, verify
from framesweep.data.store.writer import write_corpus
from framesweep.errors import DataError
from framesweep.system.atomic_files import atomic_folder
from framesweep.system.checksums import load_json, write_checksums

FORMAT = 1
"""Version of the layout above. It is part of the key."""

FILES = ("meta.json", ".labels", ".lengths", ".utterances.json", ".features")
"""How the names of the files above end."""


@dataclass(frozen=True, slots=True)
class SplitArrays:
    """One split of a prepared corpus, memory-mapped.

    Attributes:
        features: (N, D) float32.
        labels: (N,) int16, or None.
        lengths: (U,) int64, frames of each utterance.
        ids: U utterance ids.
        speakers: U speakers, "" if unknown.
    """

    name: str
    features: Array
    labels: Array | None
    lengths: Array
    ids: tuple[str, ...]
    speakers: tuple[str, ...]

    @property
    def starts(self) -> Array:
        """The first frame of each utterance, (U,) int64."""
        return np.cumsum(self.lengths) - self.lengths

    def utterances(self) -> Iterator[Array]:
        """Yield the (T, D) features of each utterance in order."""
        for start, length in zip(self.starts, self.lengths, strict=True):
            yield self.features[start : start + length]


@dataclass(frozen=True, slots=True)
class PreparedCorpus:
    """A corpus on disk.

    Attributes:
        folder: where it is stored.
        name: of the corpus format.
        digest: hash of all features and labels.
        feature_dim: D, features per frame.
        phones: the names of the labels.
        splits: by name.
    """

    folder: Path
    name: str
    digest: str
    feature_dim: int
    phones: PhoneSet
    splits: dict[str, SplitArrays]


def prepare(corpus: Corpus, cache: Path, *, full: bool = False) -> PreparedCorpus:
    """Open the prepared corpus in the folder `cache`; create it first if it does not exist.

    Args:
        corpus: its reader.
        cache: the folder of all prepared corpora.
        full: whether to compare the features with their checksums, too.

    Raises:
        DataError: the corpus breaks a rule, and nothing is left behind, except the parts of a
            `Resumable` corpus; or a file of the prepared one is damaged.
    """
    folder = _choose_folder(corpus, cache)
    if not (folder / "meta.json").exists():
        # Parts have the key in their name too: they are valid for exactly this source.
        parts = folder.with_name(f".{folder.name}.parts")
        if isinstance(corpus, Resumable):
            corpus.parts_folder = parts
        with atomic_folder(folder) as temporary:
            meta, known = write_corpus(corpus, temporary)
            text = json.dumps({"format": FORMAT, **meta}, indent=1)
            (temporary / "meta.json").write_text(text, encoding="utf-8")
            write_checksums(temporary, known)
        # Not earlier: if writing fails, the next attempt continues with the parts.
        shutil.rmtree(parts, ignore_errors=True)
    return open_prepared(folder, full=full)


def find_prepared(corpus: Corpus, cache: Path) -> Path | None:
    """Return the folder of the prepared corpus, or None if it has not been prepared."""
    folder = _choose_folder(corpus, cache)
    return folder if (folder / "meta.json").exists() else None


def open_prepared(folder: Path, *, full: bool = False) -> PreparedCorpus:
    """Map a prepared corpus into memory.

    Args:
        folder: where it is stored.
        full: whether to compare the features with their checksums, too. Training does not read
            them, but the rows of a view.

    Raises:
        DataError: it is damaged, or of another version.
    """
    try:
        meta = load_json((folder / "meta.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError) as error:
        raise DataError(
            folder,
            f"must contain a readable meta.json ({error})",
            fix=f"Delete {folder}; it will be created again.",
        ) from None
    if meta.get("format") != FORMAT:
        raise DataError(
            folder,
            f"must have store format {FORMAT}",
            found=meta.get("format"),
            fix="Delete the folder; it will be created again.",
        )
    # The features are the last of them.
    verify(folder, FILES if full else FILES[:-1], full=full)
    try:
        return _open(folder, meta)
    except (FileNotFoundError, ValueError, KeyError, TypeError, IndexError) as error:
        # Only without checksums, which earlier versions did not write.
        raise damaged(folder, f"it cannot be read: {error!r}", folder) from None


def _open(folder: Path, meta: dict[str, Any]) -> PreparedCorpus:
    return PreparedCorpus(
        folder=folder,
        name=meta["name"],
        digest=meta["digest"],
        feature_dim=meta["feature_dim"],
        phones=PhoneSet(tuple(meta["phones"])),
        splits={name: _open_split(folder, name, meta) for name in meta["splits"]},
    )


def _open_split(folder: Path, name: str, meta: dict[str, Any]) -> SplitArrays:
    frames, labelled = meta["splits"][name]["num_frames"], meta["splits"][name]["labelled"]
    pairs = json.loads((folder / f"{name}.utterances.json").read_text(encoding="utf-8"))
    split = SplitArrays(
        name=name,
        features=map_array(
            folder / f"{name}.features", np.float32, (frames, meta["feature_dim"])
        ),
        labels=map_array(folder / f"{name}.labels", np.int16, (frames,)) if labelled else None,
        # Small, and needed at random; only features and labels are worth mapping.
        lengths=np.fromfile(folder / f"{name}.lengths", dtype=np.int64),
        ids=tuple(pair[0] for pair in pairs),
        speakers=tuple(pair[1] for pair in pairs),
    )
    _require_consistent(split, folder, len(meta["phones"]))
    return split


def _require_consistent(split: SplitArrays, folder: Path, num_classes: int) -> None:
    """Raise DataError unless the lengths, ids and labels of a split fit together.

    Without this, a damaged file of an earlier version, which has no checksum, would only be
    noticed by an index error in the middle of training.
    """
    lengths, labels = split.lengths, split.labels
    if len(lengths) != len(split.ids) or lengths.min() < 1:
        raise damaged(folder / f"{split.name}.lengths", "it does not fit the ids", folder)
    if lengths.sum() != len(split.features):
        raise damaged(folder / f"{split.name}.lengths", "it does not fit the features", folder)
    if labels is not None and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise damaged(folder / f"{split.name}.labels", "it has labels of no phone", folder)


def map_array(path: Path, dtype: Any, shape: tuple[int, ...]) -> Array:
    """Map a file that contains exactly one array of this dtype and shape.

    The mapping is copy-on-write: writing to the array does not change the file, and pages that
    are only read are shared by all processes.

    Raises:
        DataError: the size of the file does not match.
    """
    expected = int(np.prod(shape)) * np.dtype(dtype).itemsize
    actual = path.stat().st_size if path.exists() else 0
    if actual != expected:
        raise DataError(
            path,
            f"must have exactly {expected} bytes",
            found=actual,
            fix=f"Delete {path.parent}; it will be created again.",
        )
    return np.memmap(path, dtype=dtype, mode="c", shape=shape)


def _choose_folder(corpus: Corpus, cache: Path) -> Path:
    return cache / f"{corpus.name}-{_fingerprint(corpus)}"


def _fingerprint(corpus: Corpus) -> str:
    """Return the hash of the corpus's source key and the format version."""
    # Sorted keys: equal sources must give equal texts.
    text = json.dumps([FORMAT, corpus.source_key()], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
