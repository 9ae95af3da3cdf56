"""A corpus read once, checked, and kept as flat arrays on disk.

A prepared corpus is a folder of

    meta.json                 format, phones, feature size, content digest, splits
    <split>.features          (N, D) float32, utterances one after the other
    <split>.labels            (N,) int16; absent where the split has no labels
    <split>.lengths           (U,) int64, frames of each utterance
    <split>.utterances.json   [[id, speaker], ...]
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
from framesweep.data.store.writer import fill
from framesweep.errors import DataError
from framesweep.system.atomic_files import atomic_folder

FORMAT = 1


@dataclass(frozen=True, slots=True)
class SplitArrays:
    """One split of a prepared corpus, memory-mapped.

    Attributes:
        features: (N, D) float32.
        labels: (N,) int16, or None.
        lengths: (U,) int64.
        ids: U utterance ids.
        speakers: U speakers, "" where unknown.
    """

    name: str
    features: Array
    labels: Array | None
    lengths: Array
    ids: tuple[str, ...]
    speakers: tuple[str, ...]

    @property
    def starts(self) -> Array:
        """(U,) int64: the first frame of each utterance."""
        return np.cumsum(self.lengths) - self.lengths

    def utterances(self) -> Iterator[Array]:
        """(T, D) features of each utterance in order."""
        for start, length in zip(self.starts, self.lengths, strict=True):
            yield self.features[start : start + length]


@dataclass(frozen=True, slots=True)
class PreparedCorpus:
    """A corpus on disk: where it lies, its phones, and its splits by name."""

    folder: Path
    name: str
    digest: str
    feature_dim: int
    phones: PhoneSet
    splits: dict[str, SplitArrays]


def prepare(corpus: Corpus, cache: Path) -> PreparedCorpus:
    """Opens the prepared corpus in `cache`, and makes it first where it is not there.

    Raises:
        DataError: the corpus breaks a rule; nothing is left behind.
    """
    folder = cache / f"{corpus.name}-{_key(corpus)}"
    if not (folder / "meta.json").exists():
        parts = folder.with_name(f".{folder.name}.parts")
        if isinstance(corpus, Resumable):
            corpus.parts_folder = parts
        with atomic_folder(folder) as temporary:
            meta = {"format": FORMAT, **fill(corpus, temporary)}
            text = json.dumps(meta, indent=1)
            (temporary / "meta.json").write_text(text, encoding="utf-8")
        shutil.rmtree(parts, ignore_errors=True)
    return open_prepared(folder)


def open_prepared(folder: Path) -> PreparedCorpus:
    """Maps a prepared corpus into memory; raises DataError where it is damaged."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(folder, f"must hold a readable meta.json ({error})") from None
    if meta.get("format") != FORMAT:
        raise DataError(
            folder,
            f"must be of store format {FORMAT}",
            found=meta.get("format"),
            fix="Delete the folder; it is made again.",
        )
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
    return SplitArrays(
        name=name,
        features=map_array(
            folder / f"{name}.features", np.float32, (frames, meta["feature_dim"])
        ),
        labels=map_array(folder / f"{name}.labels", np.int16, (frames,)) if labelled else None,
        lengths=np.fromfile(folder / f"{name}.lengths", dtype=np.int64),
        ids=tuple(pair[0] for pair in pairs),
        speakers=tuple(pair[1] for pair in pairs),
    )


def map_array(path: Path, dtype: Any, shape: tuple[int, ...]) -> Array:
    """Maps a file of exactly this dtype and shape; writes to the array stay private."""
    expected = int(np.prod(shape)) * np.dtype(dtype).itemsize
    actual = path.stat().st_size if path.exists() else 0
    if actual != expected:
        raise DataError(
            path,
            f"must have {expected} bytes",
            found=actual,
            fix=f"Delete {path.parent}; it is made again.",
        )
    return np.memmap(path, dtype=dtype, mode="c", shape=shape)


def _key(corpus: Corpus) -> str:
    text = json.dumps([FORMAT, corpus.source_key()], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
