"""Checks that runs whose probabilities are to be averaged were trained on the same data."""

from dataclasses import fields
from pathlib import Path
from typing import Protocol

from framesweep.config import RunConfig
from framesweep.config.data import DataConfig
from framesweep.config.effects import effect_of
from framesweep.config.plain import flatten
from framesweep.data.store.frame_store import FrameStore
from framesweep.errors import DataError

USED_LATER = {f"data.{field.name}" for field in fields(DataConfig)} - {"data.max_utterances"}
"""Keys of every corpus that do not say which features and labels are read of it."""


class _Trained(Protocol):
    """A run with its frame store, as `predictions.TrainedRun`."""

    @property
    def directory(self) -> Path: ...
    @property
    def config(self) -> RunConfig: ...
    @property
    def store(self) -> FrameStore: ...


def require_same_corpus(run: _Trained, first: _Trained) -> None:
    """Raise DataError if two runs that are to be averaged were trained on different corpora."""
    if run.store.digest == first.store.digest:
        return
    ours, theirs = run.store.name, first.store.name
    found = f"{ours} instead of {theirs}" if ours != theirs else ""
    raise DataError(
        run.directory,
        f"must be trained on the same data as {first.directory}",
        found=[found or _describe_difference(run.config, first.config)],
        fix="Combine only runs on the same features and labels.",
    )


def _describe_difference(ours: RunConfig, theirs: RunConfig) -> str:
    """Return a key of the corpus that differs, with its values, or that its files differ."""
    others = flatten(theirs)
    for key, value in flatten(ours).items():
        if (
            key.startswith("data.")
            and key not in USED_LATER
            and effect_of(key) != "nothing"
            and value != others.get(key)
        ):
            return f"{key}={value} instead of {others.get(key)}"
    return "other files" + ("" if ours.data.root is None else f" in {ours.data.root}")
