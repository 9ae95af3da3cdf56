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
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framesweep.data.checks import check_features, check_labels
from framesweep.data.corpus import Array, Corpus, InParts, Utterance
from framesweep.errors import DataError
from framesweep.files import atomic_folder
from framesweep.phones import PhoneSet
from framesweep.progress import track

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
        if isinstance(corpus, InParts):
            corpus.parts = parts
        with atomic_folder(folder) as temporary:
            _fill(corpus, temporary)
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


def _fill(corpus: Corpus, folder: Path) -> None:
    names = corpus.splits()
    for needed in ("train", "dev"):
        if needed not in names:
            raise DataError(corpus.name, f"must have a {needed} split", found=list(names))
    filler = _Filler(folder)
    splits = {name: filler.add_split(corpus, name) for name in names}
    phones = corpus.phone_set(filler.num_classes)
    if len(phones) < filler.num_classes:
        raise DataError(
            corpus.name,
            f"labels must be below the number of phones, {len(phones)}",
            found=filler.num_classes - 1,
        )
    meta = {
        "format": FORMAT,
        "name": corpus.name,
        "digest": filler.digest.hexdigest(),
        "feature_dim": filler.feature_dim,
        "phones": phones.names,
        "splits": splits,
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")


class _Filler:
    """Writes utterances as they come; holds no more than one of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.digest = hashlib.blake2b(digest_size=16)
        self.feature_dim = 0
        self.num_classes = 0

    def add_split(self, corpus: Corpus, name: str) -> dict[str, Any]:
        lengths: list[int] = []
        pairs: list[tuple[str, str]] = []
        labelled: bool | None = None
        with ExitStack() as stack:
            features_file = stack.enter_context((self.folder / f"{name}.features").open("wb"))
            labels_file = stack.enter_context((self.folder / f"{name}.labels").open("wb"))
            utterances = track(
                corpus.utterances(name), f"Preparing {name}", corpus.num_utterances(name)
            )
            for utterance in utterances:
                features, labels = self._checked(utterance, f"{corpus.name} {name}")
                if labelled is not None and labelled != (labels is not None):
                    raise DataError(
                        f"{corpus.name} {name}",
                        "all utterances must have labels, or none",
                        found=utterance.id,
                    )
                labelled = labels is not None
                _append(features_file, features, self.digest)
                if labels is not None:
                    _append(labels_file, labels, self.digest)
                lengths.append(len(features))
                pairs.append((utterance.id, utterance.speaker))
        return self._close_split(corpus, name, lengths, pairs, bool(labelled))

    def _close_split(
        self,
        corpus: Corpus,
        name: str,
        lengths: list[int],
        pairs: list[tuple[str, str]],
        labelled: bool,
    ) -> dict[str, Any]:
        if not lengths:
            raise DataError(f"{corpus.name} {name}", "must hold at least one utterance")
        if not labelled and name != "test":
            raise DataError(f"{corpus.name} {name}", "must have labels")
        if not labelled:
            (self.folder / f"{name}.labels").unlink()
        np.asarray(lengths, dtype=np.int64).tofile(self.folder / f"{name}.lengths")
        (self.folder / f"{name}.utterances.json").write_text(json.dumps(pairs))
        return {
            "num_utterances": len(lengths),
            "num_frames": sum(lengths),
            "labelled": labelled,
        }

    def _checked(self, utterance: Utterance, split: str) -> tuple[Array, Array | None]:
        where = f"{split}, utterance {utterance.id}"
        features = check_features(utterance.features, where)
        self.feature_dim = self.feature_dim or features.shape[1]
        if features.shape[1] != self.feature_dim:
            raise DataError(
                where,
                f"features a frame must be {self.feature_dim}, as in the first utterance",
                found=features.shape[1],
            )
        if utterance.labels is None:
            return features, None
        labels = check_labels(utterance.labels, len(features), where)
        self.num_classes = max(self.num_classes, int(labels.max()) + 1)
        return features, labels


def _append(handle: Any, array: Array, digest: Any) -> None:
    data = array.tobytes()
    handle.write(data)
    digest.update(data)
