"""Feature normalisation, the same for stores and for single utterances."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from framesweep.data.corpus import Array
from framesweep.data.store.prepared import SplitArrays
from framesweep.errors import DataError

SMALLEST_STD = 1e-5
"""Standard deviations below this count as this: a constant bin becomes zero, not infinite."""

CHUNK_FRAMES = 65_536


@dataclass(frozen=True, slots=True)
class Normalizer:
    """Subtracts a mean and divides by a standard deviation, per bin.

    Attributes:
        kind: none, utterance (statistics over the utterance's time), speaker (over all of a
            speaker's utterances in a split), sliding (over frames around each) or global.
        mean, std: (D,) of train, for global only.
        window: frames that sliding looks at.
    """

    kind: str
    mean: Array | None = None
    std: Array | None = None
    window: int = 0

    def __call__(self, features: Array) -> Array:
        """(T, D) float32 of one utterance to (T, D) float32.

        With kind speaker, of whom nothing more is known here, as with utterance.
        """
        if self.kind == "none":
            return features
        if self.kind == "sliding":
            return _scaled(features, *_sliding_statistics(features, self.window))
        if self.kind == "global":
            return _scaled(features, self.mean, self.std)
        return _scaled(features, *_statistics([features]))

    def over(self, split: SplitArrays) -> Iterator[Array]:
        """The normalised (T, D) features of each utterance of a split in order.

        Raises:
            DataError: kind is speaker, and the corpus does not tell an utterance's speaker.
        """
        if self.kind != "speaker":
            yield from map(self, split.utterances())
            return
        places: dict[str, list[int]] = {}
        for place, speaker in enumerate(split.speakers):
            places.setdefault(speaker, []).append(place)
        if "" in places:
            raise DataError(
                "data.normalize=speaker",
                "the corpus must tell every utterance's speaker",
                found=f"{split.name} {split.ids[places[''][0]]} has none",
                fix="Set data.speaker where the format has it, or normalise by utterance.",
            )
        bounds = list(zip(split.starts, split.starts + split.lengths, strict=True))
        statistics = {
            speaker: _statistics([split.features[slice(*bounds[i])] for i in of_speaker])
            for speaker, of_speaker in places.items()
        }
        for features, speaker in zip(split.utterances(), split.speakers, strict=True):
            yield _scaled(features, *statistics[speaker])

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; `from_dict` gives an equal normaliser back."""
        return {
            "kind": self.kind,
            "mean": None if self.mean is None else self.mean.tolist(),
            "std": None if self.std is None else self.std.tolist(),
            "window": self.window,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Normalizer":
        mean, std = (
            None if values[key] is None else np.asarray(values[key]) for key in ("mean", "std")
        )
        return cls(values["kind"], mean, std, values.get("window", 0))


def fit_normalizer(kind: str, window: int, train: SplitArrays) -> Normalizer:
    """The normaliser of this kind; what it knows of a corpus comes from `train` alone."""
    if kind != "global":
        return Normalizer(kind, window=window if kind == "sliding" else 0)
    count = len(train.features)
    chunks = [train.features[i : i + CHUNK_FRAMES] for i in range(0, count, CHUNK_FRAMES)]
    mean = sum(chunk.sum(axis=0, dtype=np.float64) for chunk in chunks) / count
    squares = sum(((chunk - mean) ** 2).sum(axis=0) for chunk in chunks)
    return Normalizer(kind, mean, np.sqrt(squares / count))


def _scaled(features: Array, mean: Array | None, std: Array | None) -> Array:
    assert mean is not None
    assert std is not None
    normal = (features - mean) / np.maximum(std, SMALLEST_STD)
    return np.asarray(normal, dtype=np.float32)


def _statistics(utterances: list[Array]) -> tuple[Array, Array]:
    """(D,) mean and standard deviation over the frames of all utterances."""
    count = sum(map(len, utterances))
    mean = sum(features.sum(axis=0, dtype=np.float64) for features in utterances) / count
    squares = sum(((features - mean) ** 2).sum(axis=0) for features in utterances)
    return mean, np.sqrt(squares / count)


def _sliding_statistics(features: Array, window: int) -> tuple[Array, Array]:
    """(T, D) mean and deviation over up to `window` frames around each frame.

    At an edge the window is moved inwards rather than cut (as Kaldi's apply-cmvn-sliding with
    centring), so that every frame is judged by as many frames.
    """
    num_frames = len(features)
    size = min(window, num_frames)
    starts = np.clip(np.arange(num_frames) - size // 2, 0, num_frames - size)
    offset = features.mean(axis=0, dtype=np.float64)
    centred = features - offset  # near zero, sums of squares lose nothing
    zero = np.zeros((1, features.shape[1]))
    sums = np.concatenate((zero, np.cumsum(centred, axis=0)))
    squares = np.concatenate((zero, np.cumsum(centred**2, axis=0)))
    mean = (sums[starts + size] - sums[starts]) / size
    variance = (squares[starts + size] - squares[starts]) / size - mean**2
    return mean + offset, np.sqrt(np.maximum(variance, 0))
