"""Answers requests to a logged model: utterances of any kind to rows of phones and times."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from framesweep.errors import DataError
from framesweep.evaluation.labeller import Decoding, Labeller
from framesweep.evaluation.model_input import parse_model_input

COLUMNS = ("utterance", "phone", "id", "start_s", "end_s", "posterior")
"""The columns of an answer, as in the signature of the logged model."""


class ServedModel:
    """A trained network behind the interface of an MLflow model.

    Args:
        directory: The folder of the model of a run.
    """

    def __init__(self, directory: Path | str) -> None:
        self._directory = directory
        self._labeller = Labeller.load(directory)

    @classmethod
    def load(cls, directory: Path | str) -> Self:
        """Load the model in a folder.

        Raises:
            CheckpointError: if a file is missing or damaged.
        """
        return cls(directory)

    def predict(self, model_input: object, params: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Return the phones of all utterances in an input, column by column.

        - utterance: the index of the utterance, from 0.
        - phone, id: the name and the number of the phone.
        - start_s, end_s: seconds from the start of the utterance.
        - posterior: the mean probability of the phone over its frames.

        Args:
            model_input: Features, samples or paths; see `model_input`.
            params: `sample_rate` of samples without one, in Hz, or 0; `smooth`, to smooth by
                Viterbi's algorithm; `frames`, for a row per frame instead of a row per phone.

        Raises:
            DataError: if an utterance cannot be labelled.
            CheckpointError: if it is to be smoothed, and the model has no smoother.
        """
        rate = int(params.get("sample_rate") or 0)
        if rate < 0:
            raise DataError("sample_rate", "must be at least 1 Hz", found=rate)
        labeller = self._smoothing_labeller if params.get("smooth") else self._labeller
        list_rows = self._list_frames if params.get("frames") else self._list_phones
        rows = [
            (index, *row)
            for index, item in enumerate(parse_model_input(model_input, rate or None))
            for row in list_rows(labeller.decode(item.value, item.sample_rate))
        ]
        columns = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
        return {name: list(values) for name, values in zip(COLUMNS, columns, strict=True)}

    @cached_property
    def _smoothing_labeller(self) -> Labeller:
        return Labeller.load(self._directory, smooth=True)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self._labeller.phones)}

    def _list_phones(self, decoding: Decoding) -> Iterator[tuple[Any, ...]]:
        for segment in decoding.segments:
            times = (segment.start_s, segment.end_s)
            yield (segment.phone, self._ids[segment.phone], *times, segment.posterior)

    def _list_frames(self, decoding: Decoding) -> Iterator[tuple[Any, ...]]:
        """Yield a row for each frame, with the phone of the segment that it belongs to."""
        edges, segments = decoding.edges, decoding.segments
        # Ends of segments are edges of frames, so that equal numbers meet here.
        owners = np.searchsorted([segment.end_s for segment in segments], edges[1:])
        for frame, owner in enumerate(owners.tolist()):
            phone = segments[owner].phone
            times = (float(edges[frame]), float(edges[frame + 1]))
            posterior = float(decoding.posteriors[frame, self._ids[phone]])
            yield (phone, self._ids[phone], *times, posterior)
