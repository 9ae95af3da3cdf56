"""Feature normalisation, the same for stores and for single utterances."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from framesweep.data.corpus import Array
from framesweep.data.prepared import SplitArrays

SMALLEST_STD = 1e-5
"""Standard deviations below this count as this: a constant bin becomes zero, not infinite."""

CHUNK_FRAMES = 65_536


@dataclass(frozen=True, slots=True)
class Normalizer:
    """Subtracts a mean and divides by a standard deviation, per bin.

    Attributes:
        kind: none, utterance (statistics over the utterance's time) or global.
        mean, std: (D,) of train, for global only.
    """

    kind: str
    mean: Array | None = None
    std: Array | None = None

    def __call__(self, features: Array) -> Array:
        """(T, D) float32 to (T, D) float32."""
        if self.kind == "none":
            return features
        if self.kind == "utterance":
            mean = features.mean(axis=0, dtype=np.float64)
            std = features.std(axis=0, dtype=np.float64)
        else:
            assert self.mean is not None and self.std is not None
            mean, std = self.mean, self.std
        normal = (features - mean) / np.maximum(std, SMALLEST_STD)
        return np.asarray(normal, dtype=np.float32)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; `from_dict` gives an equal normaliser back."""
        return {
            "kind": self.kind,
            "mean": None if self.mean is None else self.mean.tolist(),
            "std": None if self.std is None else self.std.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Normalizer":
        mean, std = (
            None if values[key] is None else np.asarray(values[key]) for key in ("mean", "std")
        )
        return cls(values["kind"], mean, std)


def fit_normalizer(kind: str, train: SplitArrays) -> Normalizer:
    """The normaliser of this kind; statistics, where it has any, come from `train` alone."""
    if kind != "global":
        return Normalizer(kind)
    count = len(train.features)
    chunks = [train.features[i : i + CHUNK_FRAMES] for i in range(0, count, CHUNK_FRAMES)]
    mean = sum(chunk.sum(axis=0, dtype=np.float64) for chunk in chunks) / count
    squares = sum(((chunk - mean) ** 2).sum(axis=0) for chunk in chunks)
    return Normalizer(kind, mean, np.sqrt(squares / count))
