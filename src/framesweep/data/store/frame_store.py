"""The frame store: normalized, padded rows on which the windows of any context are a view.

Rows are normalized and padded once, on disk, so that training never does either. There are
`lead` rows before the first utterance and `gap` padding rows between utterances, enough for
windows of up to MAX_CONTEXT frames on each side; `framesweep.data.windows` shows how this makes
every context a view. A store thus does not depend on data.context: a sweep over it shares one.

A store is a view of a prepared corpus, and a subfolder of its folder:

    view<format>-<normalization>-<padding>-<dtype>-<MAX_CONTEXT>/
        meta.json       the normalizer
        <split>.rows    (R, D) of data.dtype
        checksums.json  of the files above; see `framesweep.system.checksums`
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framesweep.config import MAX_CONTEXT, DataConfig
from framesweep.data.corpus import Array, Corpus
from framesweep.data.phones import PhoneSet
from framesweep.data.store.integrity import ChecksumFile, damaged, verify
from framesweep.data.store.normalization import Normalizer, fit_normalizer
from framesweep.data.store.prepared import (
    PreparedCorpus,
    find_prepared,
    map_array,
    prepare,
)
from framesweep.errors import ConfigError
from framesweep.system.atomic_files import atomic_folder
from framesweep.system.checksums import write_checksums

VIEW_FORMAT = 1
"""Version of the layout on disk. Increase it with every change of what the files contain."""
VIEW_FILES = ("meta.json", ".rows")
"""How the names of a view's files end."""
# Both neighbors of a gap can share its zeros. Edge frames differ, so with replicate it has
# MAX_CONTEXT copies of the last frame before it and as many of the first frame after it.
GAPS = {"zero": MAX_CONTEXT, "replicate": 2 * MAX_CONTEXT, "cross": 0}


@dataclass(frozen=True, slots=True)
class Split:
    """One split, ready to be windowed.

    Attributes:
        name: train, dev or test.
        rows: (R, D) normalized and padded features. Frame n of the split, in utterance u, is
            row lead + n + gap * u.
        labels: (N,) int16, or None if the corpus withholds them.
        lengths: (U,) int64, frames of each utterance.
        ids: U utterance ids.
        lead: rows before the first frame.
        gap: padding rows between utterances.
        speakers: U speakers, "" where unknown; empty if the split was made without them.
    """

    name: str
    rows: Array
    labels: Array | None
    lengths: Array
    ids: tuple[str, ...]
    lead: int
    gap: int
    speakers: tuple[str, ...] = ()

    @property
    def num_frames(self) -> int:
        """Frames of all utterances, padding excluded."""
        return int(self.lengths.sum())


@dataclass(frozen=True, slots=True)
class FrameStore:
    """A corpus under one normalization and padding.

    Attributes:
        name: of the corpus format.
        digest: hash of all features and labels, before normalization.
        feature_dim: D, features per frame.
        phones: the names of the labels.
        normalizer: what was applied to the features.
        splits: by name.
    """

    name: str
    digest: str
    feature_dim: int
    phones: PhoneSet
    normalizer: Normalizer
    splits: dict[str, Split]


def open_store(config: DataConfig, corpus: Corpus, cache: Path) -> FrameStore:
    """Open the store for this corpus and config; prepare it first if necessary.

    Args:
        config: normalization, padding, dtype and context.
        corpus: its reader.
        cache: the folder of all prepared corpora.

    Raises:
        ConfigError: a value is beyond the range of data.dtype.
        DataError: the corpus breaks a rule.
    """
    prepared = prepare(corpus, cache, full=config.verify)
    folder = prepared.folder / _view_name(config)
    if not (folder / "meta.json").exists():
        # Several jobs of a sweep may get here together: each writes a folder of its own, and
        # the first to finish renames it into place.
        verify(prepared.folder, [".features"], full=True)
        with atomic_folder(folder) as temporary:
            _write_view(config, prepared, temporary)
    verify(folder, VIEW_FILES, full=config.verify)
    return _open_view(config, prepared, folder)


def is_stored(config: DataConfig, corpus: Corpus, cache: Path) -> bool:
    """Return whether `open_store` would find the store, and write nothing."""
    folder = find_prepared(corpus, cache)
    return folder is not None and (folder / _view_name(config) / "meta.json").exists()


def verify_views(prepared: PreparedCorpus) -> None:
    """Compare all files of all views of a prepared corpus with their checksums.

    Raises:
        DataError: a file is damaged.
    """
    for folder in sorted(prepared.folder.glob("view*")):
        verify(folder, VIEW_FILES, full=True)


def pad(features: Array, before: int, after: int, padding: str) -> Array:
    """Pad (T, D) to (before + T + after, D) with zeros or, for replicate, the edge frames.

    Zero is the mean of normalized features.
    """
    mode: Any = "edge" if padding == "replicate" else "constant"
    return np.pad(features, ((before, after), (0, 0)), mode=mode)


def _view_name(config: DataConfig) -> str:
    """Return the name of a view's folder; it contains everything that the rows depend on."""
    sliding = config.normalize == "sliding"
    normalize = f"sliding{config.normalize_frames}" if sliding else config.normalize
    return "-".join(
        (f"view{VIEW_FORMAT}", normalize, config.padding, config.dtype, str(MAX_CONTEXT))
    )


def _write_view(config: DataConfig, prepared: PreparedCorpus, folder: Path) -> None:
    normalizer = fit_normalizer(
        config.normalize, config.normalize_frames, prepared.splits["train"]
    )
    known: dict[str, str] = {}
    for name, arrays in prepared.splits.items():
        with ChecksumFile(folder / f"{name}.rows") as handle:
            # Converted last: statistics are computed in full precision.
            utterances = (_convert(rows, config) for rows in normalizer.over(arrays))
            for rows in _with_padding(utterances, len(arrays.lengths), config.padding):
                handle.write(rows.data)
        known[f"{name}.rows"] = handle.checksum
    meta = json.dumps({"normalizer": normalizer.to_dict()})
    (folder / "meta.json").write_text(meta, encoding="utf-8")
    write_checksums(folder, known)


def _convert(rows: Array, config: DataConfig) -> Array:
    """Return (R, D) rows as data.dtype; raise ConfigError if a value is beyond its range."""
    with np.errstate(over="ignore"):
        converted = rows.astype(config.dtype, order="C", copy=False)
    if not np.isfinite(converted).all():
        more = " and data.normalize=utterance" if config.normalize == "none" else ""
        raise ConfigError(
            "data.dtype",
            f"all values must be in the range of {config.dtype}",
            found=float(np.abs(rows).max()),
            fix=f"Try data.dtype=float32{more}.",
        )
    return converted


def _with_padding(
    utterances: Iterable[Array], num_utterances: int, padding: str
) -> Iterator[Array]:
    """Yield the (T, D) rows of each utterance, and the padding before and after it.

    The pieces of an utterance are those of `pad`, which would copy the features.
    """
    for index, rows in enumerate(utterances):
        is_first, is_last = index == 0, index == num_utterances - 1
        # Padding at the end of an utterance also pads the start of the next one. Exceptions:
        # copies of edge frames cannot be shared, and cross pads only the ends of the split.
        if padding == "replicate" or is_first:
            yield pad(rows[:1], MAX_CONTEXT, 0, padding)[:MAX_CONTEXT]
        yield rows
        if padding != "cross" or is_last:
            yield pad(rows[-1:], 0, MAX_CONTEXT, padding)[1:]


def _open_view(config: DataConfig, prepared: PreparedCorpus, folder: Path) -> FrameStore:
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        normalizer = Normalizer.from_dict(meta["normalizer"])
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise damaged(folder / "meta.json", f"it cannot be read: {error!r}", folder) from None
    splits = {}
    for name, arrays in prepared.splits.items():
        gap = GAPS[config.padding]
        # MAX_CONTEXT rows at either end, and a gap between any two utterances.
        num_rows = len(arrays.features) + gap * (len(arrays.lengths) - 1) + 2 * MAX_CONTEXT
        splits[name] = Split(
            name=name,
            rows=map_array(
                folder / f"{name}.rows", config.dtype, (num_rows, prepared.feature_dim)
            ),
            labels=arrays.labels,
            lengths=arrays.lengths,
            ids=arrays.ids,
            lead=MAX_CONTEXT,
            gap=gap,
            speakers=arrays.speakers,
        )
    return FrameStore(
        name=prepared.name,
        digest=prepared.digest,
        feature_dim=prepared.feature_dim,
        phones=prepared.phones,
        normalizer=normalizer,
        splits=splits,
    )
