"""A corpus of random features, in HW1P2's format and as large as is asked for."""

from pathlib import Path

import numpy as np

NUM_CLASSES = 71
UTTERANCE_FRAMES = 1250
"""About the mean of HW1P2's utterances."""

_UTTERANCES_AT_ONCE = 256


def write_corpus(
    folder: Path, num_frames: int, *, feature_dim: int = 40, dev_share: float = 0.15
) -> Path:
    """Writes train and dev, where they are not there yet, into a folder of their own.

    Args:
        folder: in which the corpus gets a folder named by its size.
        num_frames: of train, rounded up to whole utterances.
        feature_dim: values a frame, normally distributed float32.
        dev_share: frames of dev, as a share of train's.

    Returns:
        The corpus's folder, for data.root.
    """
    root = folder / f"random-{num_frames}-{feature_dim}"
    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for split, frames in {"train": num_frames, "dev": round(num_frames * dev_share)}.items():
        labels = root / f"{split}_labels.npy"
        if not labels.exists():
            num_utterances = max(1, -(-frames // UTTERANCE_FRAMES))
            shape = (num_utterances, UTTERANCE_FRAMES)
            _write_features(root / f"{split}.npy", (*shape, feature_dim), rng)
            np.save(labels, rng.integers(0, NUM_CLASSES, shape, dtype=np.int16))
    return root


def _write_features(path: Path, shape: tuple[int, int, int], rng: np.random.Generator) -> None:
    features = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    for first in range(0, len(features), _UTTERANCES_AT_ONCE):
        part = features[first : first + _UTTERANCES_AT_ONCE]
        rng.standard_normal(out=part, dtype=np.float32)
    features.flush()
