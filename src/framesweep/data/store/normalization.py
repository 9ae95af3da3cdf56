"""Normalizes features to mean 0 and variance 1, in stores and in single utterances alike.

In speech processing this is called cepstral mean and variance normalization (CMVN). All sums
are in float64: in float32, those over millions of frames would lose several digits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from framesweep.data.corpus import Array
from framesweep.data.store.ahead import map_ahead
from framesweep.data.store.prepared import SplitArrays
from framesweep.errors import DataError

SMALLEST_STD = 1e-5
"""Least standard deviation to divide by, so that a constant bin becomes zero, not infinite."""

CHUNK_FRAMES = 65_536
"""Frames of a memory-mapped split that are converted to float64 at a time: some 20 MB."""


@dataclass(frozen=True, slots=True)
class Normalizer:
    """Subtracts a mean from each bin and divides by a standard deviation.

    Attributes:
        kind: the frames over which mean and deviation are taken: none, utterance, speaker (all
            utterances of the speaker in the split), sliding (a window around each frame) or
            global (all of train).
        mean, std: (D,) of train, for global only.
        window: frames in the window of sliding.
    """

    kind: str
    mean: Array | None = None
    std: Array | None = None
    window: int = 0

    def __call__(self, features: Array) -> Array:
        """Normalize the (T, D) float32 features of one utterance.

        With kind speaker this equals utterance: no other utterances of the speaker are known.
        """
        if self.kind == "none":
            return features
        if self.kind == "sliding":
            return _standardize(features, *_sliding_statistics(features, self.window))
        if self.kind == "global":
            return _standardize(features, self.mean, self.std)
        return standardize_alone(features)

    def over(self, split: SplitArrays) -> Iterator[Array]:
        """Yield the normalized (T, D) features of each utterance of a split in order.

        Raises:
            DataError: kind is speaker, and the speaker of an utterance is unknown.
        """
        if self.kind != "speaker":
            yield from map_ahead(self, split.utterances())
            return
        indices: dict[str, list[int]] = {}
        for index, speaker in enumerate(split.speakers):
            indices.setdefault(speaker, []).append(index)
        if "" in indices:
            raise DataError(
                "data.normalize=speaker",
                "the speaker of every utterance must be known",
                found=f"{split.name} {split.ids[indices[''][0]]} has none",
                fix="Set data.speaker if the format has it, or data.normalize=utterance.",
            )
        # All statistics first: the utterances of a speaker may be anywhere in the split.
        bounds = list(zip(split.starts, split.starts + split.lengths, strict=True))
        statistics = {
            speaker: _statistics([split.features[slice(*bounds[i])] for i in own])
            for speaker, own in indices.items()
        }
        for features, speaker in zip(split.utterances(), split.speakers, strict=True):
            yield _standardize(features, *statistics[speaker])

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-serializable values from which `from_dict` makes an equal normalizer."""
        return {
            "kind": self.kind,
            "mean": None if self.mean is None else self.mean.tolist(),
            "std": None if self.std is None else self.std.tolist(),
            "window": self.window,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Normalizer":
        """Return the normalizer that `to_dict` described, also in an earlier version."""
        mean, std = (
            None if values[key] is None else np.asarray(values[key]) for key in ("mean", "std")
        )
        # Files written before sliding normalization existed have no window.
        return cls(values["kind"], mean, std, values.get("window", 0))


def fit_normalizer(kind: str, window: int, train: SplitArrays) -> Normalizer:
    """Return the normalizer of this kind; its statistics come from `train` only.

    Statistics of dev or test would leak information about them into training.
    """
    if kind != "global":
        return Normalizer(kind, window=window if kind == "sliding" else 0)
    count = len(train.features)
    # Two passes, mean first: mean(x**2) - mean(x)**2, the formula for one pass, is a difference
    # of large numbers, which loses digits if a bin varies little around a large mean.
    chunks = [train.features[i : i + CHUNK_FRAMES] for i in range(0, count, CHUNK_FRAMES)]
    mean = sum(chunk.sum(axis=0, dtype=np.float64) for chunk in chunks) / count
    squares = sum(_squared_differences(chunk, mean).sum(axis=0) for chunk in chunks)
    return Normalizer(kind, mean, np.sqrt(squares / count))


def _standardize(features: Array, mean: Array | None, std: Array | None) -> Array:
    assert mean is not None
    assert std is not None
    normal = features - mean
    normal /= np.maximum(std, SMALLEST_STD)
    return np.asarray(normal, dtype=np.float32)


def standardize_alone(features: Array) -> Array:
    """Return (T, D) float32 features, standardized by their own mean and deviation.

    The values are those of `standardize_plainly`, bit for bit, in a third of the time: one
    float64 copy is changed in place, in the cache, instead of four that are new.
    """
    if features.shape[1] == 1 or not features.flags.c_contiguous:
        # NumPy adds the values of such a column in another order, so that the sum of the copy
        # would be rounded differently.
        return standardize_plainly(features)
    wide = features.astype(np.float64)
    mean: Array = sum([wide.sum(axis=0)]) / len(wide)
    wide -= mean
    std = np.sqrt(np.square(wide).sum(axis=0) / len(wide))
    wide /= np.maximum(std, SMALLEST_STD)
    return np.asarray(wide, dtype=np.float32)


def standardize_plainly(features: Array) -> Array:
    """Return what `standardize_alone` returns, as its definition says."""
    return _standardize(features, *_statistics([features]))


def _squared_differences(features: Array, mean: Array) -> Array:
    """Return the (T, D) squares of the differences from a mean."""
    differences = features - mean
    return np.asarray(np.square(differences, out=differences))


def _statistics(utterances: list[Array]) -> tuple[Array, Array]:
    """Return the (D,) mean and standard deviation over the frames of all utterances."""
    count = sum(map(len, utterances))
    mean = sum(features.sum(axis=0, dtype=np.float64) for features in utterances) / count
    squares = sum(_squared_differences(features, mean).sum(axis=0) for features in utterances)
    return mean, np.sqrt(squares / count)


def _sliding_statistics(features: Array, window: int) -> tuple[Array, Array]:
    """Return the (T, D) mean and deviation over up to `window` frames around each frame.

    At an edge the window is shifted inwards instead of truncated, so that all statistics are
    taken over the same number of frames (as in Kaldi's `apply-cmvn-sliding --center`).

    The sum over any window is the difference of two cumulative sums, so that one pass suffices
    whatever the size of the window.
    """
    num_frames = len(features)
    size = min(window, num_frames)
    starts = np.clip(np.arange(num_frames) - size // 2, 0, num_frames - size)
    offset = features.mean(axis=0, dtype=np.float64)
    # Variances do not depend on an offset, and near zero sums of squares lose no digits (Chan,
    # Golub and LeVeque, "Algorithms for computing the sample variance", 1983: shifted data).
    centered = features - offset
    zero = np.zeros((1, features.shape[1]))
    sums = np.concatenate((zero, np.cumsum(centered, axis=0)))
    squares = np.concatenate((zero, np.cumsum(centered**2, axis=0)))
    mean = (sums[starts + size] - sums[starts]) / size
    variance = (squares[starts + size] - squares[starts]) / size - mean**2
    return mean + offset, np.sqrt(np.maximum(variance, 0))  # rounding can make it negative
