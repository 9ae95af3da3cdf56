"""A trained network with all that is needed to use it on one utterance."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from framesweep.config import RunConfig
from framesweep.config.composition import CONFIG_FILE, load
from framesweep.data.checks import validate_features
from framesweep.data.corpus import Array
from framesweep.data.phones import PhoneSet
from framesweep.data.store.frame_store import FrameStore, pad
from framesweep.data.store.normalization import Normalizer
from framesweep.errors import CheckpointError, DataError
from framesweep.models.build import build_model
from framesweep.system.atomic_files import write_text
from framesweep.training.checkpoints import load_weights

WEIGHTS, SIDE = "model.safetensors", "predictor.json"


def write_side(directory: Path, store: FrameStore) -> None:
    """Writes what a network needs beside its weights and config: phones and statistics."""
    side = {
        "feature_dim": store.feature_dim,
        "phones": store.phones.names,
        "normalizer": store.normalizer.to_dict(),
        "digest": store.digest,
    }
    write_text(directory / SIDE, json.dumps(side, indent=1))


@dataclass(frozen=True, slots=True)
class Predictor:
    """Maps the features of one utterance to phones, as training saw them."""

    model: nn.Module
    phones: PhoneSet
    normalizer: Normalizer
    feature_dim: int
    context: int
    padding: str

    @classmethod
    def load(cls, directory: Path | str) -> "Predictor":
        """From a folder with model.safetensors, config.yaml and predictor.json.

        Raises:
            CheckpointError: one of them is missing or damaged.
        """
        folder = Path(directory)
        try:
            side = json.loads((folder / SIDE).read_text(encoding="utf-8"))
            config = load(
                (folder / CONFIG_FILE).read_text(encoding="utf-8"), [], folder / CONFIG_FILE
            )
        except (OSError, ValueError) as error:
            raise CheckpointError(folder, f"must hold a trained network ({error})") from None
        phones = PhoneSet(tuple(side["phones"]))
        model = build_network(config, side["feature_dim"], len(phones))
        load_weights(model, folder / WEIGHTS)
        return cls(
            model=model.eval(),
            phones=phones,
            normalizer=Normalizer.from_dict(side["normalizer"]),
            feature_dim=side["feature_dim"],
            context=config.data.context,
            padding=config.data.padding,
        )

    def log_posteriors(self, features: Array) -> Tensor:
        """(T, D) features to (T, C) log-probabilities; raises DataError for other shapes."""
        features = validate_features(features, "utterance")
        if features.shape[1] != self.feature_dim:
            raise DataError(
                "utterance",
                f"features a frame must be {self.feature_dim}",
                found=features.shape[1],
            )
        rows = pad(self.normalizer(features), self.context, self.context, self.padding)
        windows = np.lib.stride_tricks.sliding_window_view(rows, 2 * self.context + 1, axis=0)
        flat = np.ascontiguousarray(windows.transpose(0, 2, 1)).reshape(len(features), -1)
        with torch.inference_mode():
            return functional.log_softmax(self.model(torch.from_numpy(flat)).float(), dim=1)

    def predict(self, features: Array) -> Array:
        """(T, D) features to (T,) int64 phone ids."""
        return self.log_posteriors(features).argmax(dim=1).numpy()


def build_network(config: RunConfig, feature_dim: int, num_classes: int) -> nn.Module:
    """The untrained network of this config."""
    num_frames = 2 * config.data.context + 1
    return build_model(config.model, num_frames * feature_dim, num_classes, num_frames)
