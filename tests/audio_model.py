"""An untrained model of audio in a folder, as a run leaves it, for tests of labelling."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from configs import compose
from framesweep.config import RunConfig
from framesweep.config.composition import CONFIG_FILE, dump
from framesweep.data.phones import PhoneSet
from framesweep.data.store.frame_store import FrameStore
from framesweep.data.store.normalization import Normalizer
from framesweep.evaluation.predictor import WEIGHTS, build_network, write_metadata
from framesweep.training.weight_files import dump_weights

NAMES = ("pau", "aa", "iy", "s")
RATE = 16_000


def write_model(
    folder: Path, *overrides: str, names: tuple[str, ...] = NAMES, seed: int = 0
) -> RunConfig:
    """Write the model of an untrained network, and return its config."""
    network_size = [] if "model=tdnn" in overrides else ["model.widths=[8]"]
    config = compose(
        [
            *("data=segments", "data.context=2", "data.normalize=utterance"),
            *network_size,
            *overrides,
        ]
    )
    featurization = config.data.featurization
    feature_dim = 40 if featurization is None else featurization.options.feature_dim
    normalizer = Normalizer(config.data.normalize)
    store = FrameStore("toy", "digest", feature_dim, PhoneSet(names), normalizer, {})
    torch.manual_seed(seed)
    network = build_network(config, feature_dim, len(names))
    folder.mkdir(parents=True, exist_ok=True)
    write_metadata(folder, store, config.data)
    (folder / CONFIG_FILE).write_text(dump(config))
    (folder / WEIGHTS).write_bytes(dump_weights(network))
    return config


def make_tones(seconds: float = 1.0, rate: int = RATE, seed: int = 0) -> Any:
    """Return (N,) samples of a tone that changes every tenth of a second."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate)) / rate
    pitches = rng.choice([0, 300, 1000, 3000], size=int(seconds * 10) + 1)
    tone = 0.3 * np.sin(2 * np.pi * pitches[(times * 10).astype(int)] * times)
    return (tone + rng.normal(scale=0.01, size=len(times))).astype(np.float32)
