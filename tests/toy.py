"""A small synthetic corpus. The means of its phones differ, so that they can be learned."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from framesweep.data.corpus import Utterance
from framesweep.data.phones import PhoneSet

NAMES = ("SIL", "AA", "B", "CH", "D")


class ToyCorpus:
    """Generates utterances in memory, with the given lengths in each split."""

    name = "toy"

    def __init__(
        self,
        lengths: Mapping[str, tuple[int, ...]] | None = None,
        *,
        feature_dim: int = 6,
        seed: int = 0,
        noise: float = 0.5,
    ) -> None:
        self.lengths = lengths or {"train": (40, 25, 60, 33), "dev": (30, 20), "test": (15, 5)}
        self.feature_dim = feature_dim
        self.seed = seed
        self.noise = noise

    def source_key(self) -> dict[str, Any]:
        return {"lengths": self.lengths, "dim": self.feature_dim, "seed": self.seed}

    def splits(self) -> tuple[str, ...]:
        return tuple(self.lengths)

    def num_utterances(self, split: str) -> int | None:
        return len(self.lengths[split])

    def utterances(self, split: str) -> Iterator[Utterance]:
        means = np.random.default_rng(7).normal(size=(len(NAMES), self.feature_dim))
        rng = np.random.default_rng([self.seed, sorted(self.lengths).index(split)])
        for index, length in enumerate(self.lengths[split]):
            labels = np.repeat(rng.integers(0, len(NAMES), size=length // 5 + 1), 5)[:length]
            noise = rng.normal(size=(length, self.feature_dim), scale=self.noise)
            features = (means[labels] + noise).astype(np.float32)
            yield Utterance(f"{split}{index}", features, labels.astype(np.uint8), "someone")

    def phone_set(self, num_classes: int) -> PhoneSet:
        return PhoneSet(NAMES)


def write_hw1p2(root: Path, corpus: ToyCorpus) -> Path:
    """Write the corpus as HW1P2's object arrays, without labels of test."""
    root.mkdir(parents=True, exist_ok=True)
    for split in corpus.splits():
        utterances = list(corpus.utterances(split))
        for suffix, arrays in (
            ("", [u.features for u in utterances]),
            ("_labels", [u.labels for u in utterances]),
        ):
            if (split, suffix) == ("test", "_labels"):
                continue
            objects = np.empty(len(arrays), dtype=object)
            objects[:] = arrays
            np.save(root / f"{split}{suffix}.npy", objects, allow_pickle=True)
    lines = [f"{name} {index}" for index, name in enumerate(NAMES)]
    (root / "phonemes.txt").write_text("\n".join(lines) + "\n")
    return root
