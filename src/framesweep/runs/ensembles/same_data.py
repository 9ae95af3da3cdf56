"""Checks that runs whose probabilities are to be averaged were trained on the same data."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from framesweep.config.data import DataConfig
from framesweep.config.effects import effect_of
from framesweep.config.plain import flatten
from framesweep.errors import DataError

if TYPE_CHECKING:
    from framesweep.config import RunConfig
    from framesweep.runs.ensembles.predictions import TrainedRun

USED_LATER = {f"data.{field.name}" for field in fields(DataConfig)} - {"data.max_utterances"}
"""Keys of every corpus that do not say which features and labels are read of it."""


def require_same_corpus(run: TrainedRun, first: TrainedRun) -> None:
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
