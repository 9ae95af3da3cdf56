"""Runs composed from conf/ in this process, on tiny data and untracked."""

from pathlib import Path

import numpy as np
import pytest

import configs
from framesweep.config import RunConfig
from framesweep.config.composition import register
from toy import NAMES, ToyCorpus, write_hw1p2

TINY = [
    "data.context=2",
    "train.epochs=1",
    "train.batch_size=64",
    "hardware.threads=1",
    "tracking=none",
]
LENGTHS = {"train": (60, 40), "dev": (30, 20), "test": (15, 5)}


@pytest.fixture
def compose(tmp_path):
    """Composes a RunConfig from overrides, its outputs in tmp_path."""
    register()

    def composed(*overrides: str) -> RunConfig:
        return configs.compose([f"outputs={tmp_path}", *overrides])

    return composed


def write_folders(root: Path, corpus: ToyCorpus) -> Path:
    """Writes the corpus as HW1P2 has been handed out since S22, without test transcripts."""
    partitions = {"train": "train-clean-100", "dev": "dev-clean", "test": "test-clean"}
    for split, partition in partitions.items():
        for kind in ("mfcc", "transcript"):
            (root / partition / kind).mkdir(parents=True)
        for utterance in corpus.utterances(split):
            np.save(root / partition / "mfcc" / f"{utterance.id}.npy", utterance.features)
            if split != "test":
                words = ["[SOS]", *(NAMES[i] for i in utterance.labels), "[EOS]"]
                np.save(root / partition / "transcript" / f"{utterance.id}.npy", words)
    return root


@pytest.fixture(scope="session")
def hw1p2_root(tmp_path_factory) -> Path:
    return write_hw1p2(tmp_path_factory.mktemp("hw1p2"), ToyCorpus(LENGTHS))


@pytest.fixture(scope="session")
def folders_root(tmp_path_factory) -> Path:
    return write_folders(tmp_path_factory.mktemp("folders"), ToyCorpus(LENGTHS))
