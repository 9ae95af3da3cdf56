"""The frame store: padded, normalised rows that any context is a view on.

Each utterance is followed by `gap` padding rows, and `lead` rows stand before the first,
so that the window of every frame, up to MAX_CONTEXT frames a side, is a run of rows that
touches no other utterance (with padding=cross it is meant to).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framesweep.config import MAX_CONTEXT, DataConfig
from framesweep.data.corpus import Array, Corpus
from framesweep.data.phones import PhoneSet
from framesweep.data.store.normalization import Normalizer, fit_normalizer
from framesweep.data.store.prepared import PreparedCorpus, SplitArrays, map_array, prepare
from framesweep.errors import ConfigError, DataError
from framesweep.system.atomic_files import atomic_folder

VIEW_FORMAT = 1
GAPS = {"zero": MAX_CONTEXT, "replicate": 2 * MAX_CONTEXT, "cross": 0}


@dataclass(frozen=True, slots=True)
class Split:
    """One split, ready to be windowed.

    Attributes:
        rows: (R, D) padded features; frame n of utterance u is row lead + n + gap * u,
            n counting over the whole split.
        labels: (N,) int16, or None where the corpus keeps them back.
        lengths: (U,) int64, frames of each utterance.
        ids: U utterance ids.
    """

    name: str
    rows: Array
    labels: Array | None
    lengths: Array
    ids: tuple[str, ...]
    lead: int
    gap: int

    @property
    def num_frames(self) -> int:
        return int(self.lengths.sum())


@dataclass(frozen=True, slots=True)
class FrameStore:
    """A corpus under one normalisation and padding."""

    name: str
    digest: str
    feature_dim: int
    phones: PhoneSet
    normalizer: Normalizer
    splits: dict[str, Split]


def open_store(config: DataConfig, corpus: Corpus, cache: Path) -> FrameStore:
    """Opens the store for this corpus and config, and prepares it first where needed.

    Raises:
        ConfigError: a key of `data` breaks its rule.
        DataError: the corpus does.
    """
    prepared = prepare(corpus, cache)
    folder = prepared.folder / _view_name(config)
    if not (folder / "meta.json").exists():
        with atomic_folder(folder) as temporary:
            _fill_view(config, prepared, temporary)
    return _open_view(config, prepared, folder)


def padded(features: Array, before: int, after: int, padding: str) -> Array:
    """(T, D) to (before + T + after, D): zeros or, for replicate, the edge frames."""
    mode: Any = "edge" if padding == "replicate" else "constant"
    return np.pad(features, ((before, after), (0, 0)), mode=mode)


def _view_name(config: DataConfig) -> str:
    sliding = config.normalize == "sliding"
    normalize = f"sliding{config.normalize_frames}" if sliding else config.normalize
    return "-".join(
        (f"view{VIEW_FORMAT}", normalize, config.padding, config.dtype, str(MAX_CONTEXT))
    )


def _fill_view(config: DataConfig, prepared: PreparedCorpus, folder: Path) -> None:
    normalizer = fit_normalizer(
        config.normalize, config.normalize_frames, prepared.splits["train"]
    )
    for name, arrays in prepared.splits.items():
        with (folder / f"{name}.rows").open("wb") as handle:
            for rows in _padded_utterances(arrays, normalizer, config.padding):
                handle.write(_stored(rows, config).tobytes())
    meta = json.dumps({"normalizer": normalizer.to_dict()})
    (folder / "meta.json").write_text(meta, encoding="utf-8")


def _stored(rows: Array, config: DataConfig) -> Array:
    """(R, D) as data.dtype; raises ConfigError where a value is beyond its range."""
    with np.errstate(over="ignore"):
        stored = rows.astype(config.dtype)
    if not np.isfinite(stored).all():
        more = " and data.normalize=utterance" if config.normalize == "none" else ""
        raise ConfigError(
            "data.dtype",
            f"values must be within {config.dtype}'s range",
            found=float(np.abs(rows).max()),
            fix=f"Try data.dtype=float32{more}.",
        )
    return stored


def _padded_utterances(
    arrays: SplitArrays, normalizer: Normalizer, padding: str
) -> Iterator[Array]:
    last = len(arrays.lengths) - 1
    for index, features in enumerate(normalizer.over(arrays)):
        first_rows = MAX_CONTEXT if index == 0 else 0
        if padding == "replicate":
            yield padded(features, MAX_CONTEXT, MAX_CONTEXT, padding)
        elif padding == "cross":
            last_rows = MAX_CONTEXT if index == last else 0
            yield padded(features, first_rows, last_rows, padding)
        else:
            yield padded(features, first_rows, MAX_CONTEXT, padding)


def _open_view(config: DataConfig, prepared: PreparedCorpus, folder: Path) -> FrameStore:
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        normalizer = Normalizer.from_dict(meta["normalizer"])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            folder,
            f"must hold a readable meta.json ({error!r})",
            fix="Delete the folder; it is made again.",
        ) from None
    splits = {}
    for name, arrays in prepared.splits.items():
        gap = GAPS[config.padding]
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
        )
    return FrameStore(
        name=prepared.name,
        digest=prepared.digest,
        feature_dim=prepared.feature_dim,
        phones=prepared.phones,
        normalizer=normalizer,
        splits=splits,
    )
