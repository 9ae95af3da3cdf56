"""Writes a corpus of random features of any size, in the format of HW1P2."""

from pathlib import Path

import numpy as np

NUM_CLASSES = 71
"""Number of phones of HW1P2."""

UTTERANCE_FRAMES = 1250
"""Frames per utterance, about the mean of HW1P2."""

_UTTERANCES_PER_WRITE = 256


def write_corpus(
    folder: Path, num_frames: int, *, feature_dim: int = 40, dev_share: float = 0.15
) -> Path:
    """Write the splits train and dev, unless they exist, and return the corpus's folder.

    Random features suffice to measure speed, and they can be as many as the largest corpora
    have. Nothing can be learned from them.

    Args:
        folder: folder in which the corpus gets one of its own, named by its size.
        num_frames: frames of train, rounded up to complete utterances.
        feature_dim: features per frame, normally distributed float32.
        dev_share: frames of dev, as a fraction of train's.
    """
    root = folder / f"random-{num_frames}-{feature_dim}"
    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)  # the same corpus on every machine
    for split, frames in {"train": num_frames, "dev": round(num_frames * dev_share)}.items():
        labels = root / f"{split}_labels.npy"
        # Labels are written last, so where they exist the features are complete.
        if not labels.exists():
            num_utterances = max(1, -(-frames // UTTERANCE_FRAMES))
            shape = (num_utterances, UTTERANCE_FRAMES)
            _write_features(root / f"{split}.npy", (*shape, feature_dim), rng)
            np.save(labels, rng.integers(0, NUM_CLASSES, shape, dtype=np.int16))
    return root


def _write_features(path: Path, shape: tuple[int, int, int], rng: np.random.Generator) -> None:
    """Write (utterances, frames, features) random numbers without holding all in memory."""
    features = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    for first in range(0, len(features), _UTTERANCES_PER_WRITE):
        part = features[first : first + _UTTERANCES_PER_WRITE]
        rng.standard_normal(out=part, dtype=np.float32)
    features.flush()
