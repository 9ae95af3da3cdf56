"""Applies a trained network to the features of one utterance."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from framesweep.config import RunConfig
from framesweep.config.composition import CONFIG_FILE, load
from framesweep.config.data import STANDARD_FRAME_SHIFT_MS, DataConfig
from framesweep.config.features import Featurization
from framesweep.data.checks import validate_features
from framesweep.data.corpus import Array
from framesweep.data.phones import PhoneSet
from framesweep.data.store.frame_store import FrameStore, pad
from framesweep.data.store.normalization import Normalizer
from framesweep.data.utterance_chunks import cut_utterances
from framesweep.errors import CheckpointError, DataError
from framesweep.evaluation.sequences import classify_chunks
from framesweep.models.build import build_model
from framesweep.models.network import Network
from framesweep.models.sequence_network import SequenceNetwork
from framesweep.system.atomic_files import write_text
from framesweep.system.checksums import dump_json, load_json
from framesweep.training.weight_files import load_weights

WEIGHTS, METADATA = "model.safetensors", "predictor.json"
"""Files of a model: the weights, and what is needed in addition to them and the config."""
BATCH_FRAMES = 4096
"""Frames that the network classifies at a time, to bound the memory of a long recording."""


def write_metadata(directory: Path, store: FrameStore, data: DataConfig) -> None:
    """Write the phones, the normalization statistics and the features of a network's corpus."""
    featurization = data.featurization
    metadata = {
        "feature_dim": store.feature_dim,
        "phones": store.phones.names,
        "normalizer": store.normalizer.to_dict(),
        "digest": store.digest,
        "frame_shift_ms": data.frame_shift_ms,
        "featurization": None if featurization is None else featurization.to_dict(),
    }
    write_text(directory / METADATA, dump_json(metadata))


@dataclass(frozen=True, slots=True)
class Predictor:
    """Maps the features of one utterance to phones.

    Attributes:
        model: The network, in evaluation mode on the CPU.
        phones: The C phones.
        normalizer: Normalizes features as those of the training corpus were.
        feature_dim: D, the number of values per frame.
        context: Frames to each side of the center frame.
        padding: `data.padding`: what lies beyond the edges of the utterance.
        frame_shift_ms: Time between the starts of consecutive frames.
        featurization: How the features were computed from audio; None if the network was
            trained on files of features.
    """

    model: nn.Module
    phones: PhoneSet
    normalizer: Normalizer
    feature_dim: int
    context: int
    padding: str
    frame_shift_ms: float = STANDARD_FRAME_SHIFT_MS
    featurization: Featurization | None = None

    @classmethod
    def load(cls, directory: Path | str) -> "Predictor":
        """Load a predictor from a folder with model.safetensors, config.yaml, predictor.json.

        Raises:
            CheckpointError: if one of these files is missing or damaged.
        """
        folder = Path(directory)
        try:
            metadata = load_json((folder / METADATA).read_text(encoding="utf-8"))
            phones = PhoneSet(tuple(metadata["phones"]))
            feature_dim = int(metadata["feature_dim"])
            normalizer = Normalizer.from_dict(metadata["normalizer"])
            config = load(
                (folder / CONFIG_FILE).read_text(encoding="utf-8"), [], folder / CONFIG_FILE
            )
            featurization = _read_featurization(metadata, config.data)
        except (OSError, ValueError, KeyError, TypeError) as error:
            rule = f"must hold a trained network, undamaged ({error})"
            raise CheckpointError(folder / METADATA, rule) from None
        model = build_network(config, feature_dim, len(phones))
        load_weights(model, folder / WEIGHTS)
        return cls(
            model=model.eval(),
            phones=phones,
            normalizer=normalizer,
            feature_dim=feature_dim,
            context=config.data.context,
            padding=config.data.padding,
            frame_shift_ms=config.data.frame_shift_ms,
            featurization=featurization,
        )

    def log_posteriors(self, features: Array) -> Tensor:
        """Return the (T, C) log-probabilities of the phones for (T, D) features.

        Raises:
            DataError: if the features have another shape, or a value is not finite.
        """
        features = validate_features(features, "utterance")
        if features.shape[1] != self.feature_dim:
            raise DataError(
                "utterance",
                f"must have {self.feature_dim} features per frame",
                found=features.shape[1],
                fix="Transpose the array: a row is a frame."
                if features.shape[0] == self.feature_dim
                else "",
            )
        if isinstance(self.model, SequenceNetwork):
            return self._classify_sequence(self.normalizer(features))
        rows = pad(self.normalizer(features), self.context, self.context, self.padding)
        batches = [
            self._classify(rows[start : start + BATCH_FRAMES + 2 * self.context])
            for start in range(0, len(features), BATCH_FRAMES)
        ]
        return torch.cat(batches)

    def _classify(self, rows: Array) -> Tensor:
        """Return the (L, C) log-probabilities of L frames, from (L + 2 * context, D) rows."""
        together = self.model.stretch_eval() if isinstance(self.model, Network) else None
        with torch.inference_mode():
            if together is not None:
                starts = torch.arange(len(rows) - 2 * self.context)
                logits = together(torch.tensor(rows.reshape(1, -1)), starts)
            else:
                size = 2 * self.context + 1
                view = np.lib.stride_tricks.sliding_window_view(rows, size, axis=0)
                windows = view.transpose(0, 2, 1).reshape(len(view), -1)
                logits = self.model(torch.tensor(windows))
            return functional.log_softmax(logits.float(), dim=1)

    def _classify_sequence(self, features: Array) -> Tensor:
        """Return the (T, C) log-probabilities for (T, D) normalized features."""
        assert isinstance(self.model, SequenceNetwork)
        lengths = np.array([len(features)])
        cuts = cut_utterances(lengths, self.model.chunk_frames, self.context)
        rows, results = torch.tensor(features), []
        per_batch = max(1, BATCH_FRAMES // self.model.chunk_frames)
        with torch.inference_mode():
            for first in range(0, len(cuts.starts), per_batch):
                part = cuts.part(first, first + per_batch)
                first_rows = torch.from_numpy(part.firsts)
                logits = classify_chunks(self.model, rows, first_rows, part).float()
                results.append(functional.log_softmax(logits, dim=1))
        return torch.cat(results)

    def predict(self, features: Array) -> Array:
        """Return the (T,) int64 ids of the most probable phones for (T, D) features."""
        return self.log_posteriors(features).argmax(dim=1).numpy()


def build_network(config: RunConfig, feature_dim: int, num_classes: int) -> nn.Module:
    """Return the untrained network that a run's config describes."""
    num_frames = 2 * config.data.context + 1
    return build_model(config.model, num_frames * feature_dim, num_classes, num_frames)


def _read_featurization(metadata: dict[str, Any], data: DataConfig) -> Featurization | None:
    """Return how the features were computed; earlier versions stored it in the config only."""
    if "featurization" not in metadata:
        return data.featurization
    values = metadata["featurization"]
    return None if values is None else Featurization.from_dict(values)
