"""Small predictors of every kind of network, for the tests of exports."""

import numpy as np
import torch

from configs import compose
from framesweep.config.composition import register
from framesweep.data.phones import PhoneSet
from framesweep.data.store.normalization import Normalizer
from framesweep.evaluation.predictor import Predictor, build_network

register()

FEATURE_DIM, NUM_PHONES = 6, 5

NETWORKS = {
    "mlp": ("model.widths=[8,8]", "data.context=3"),
    "residual": (
        *("model.widths=[8,8]", "model.norm=layer", "model.residual=true"),
        *("model.activation=silu", "data.context=2", "data.padding=replicate"),
    ),
    "bare": ("model.widths=[8]", "model.norm=none", "data.context=0"),
    "conv": ("model=conv", "model.width=16", "model.depth=2", "data.context=25"),
    "pyramid": ("model=pyramid", "model.depth=2", "model.max_params=2000", "data.context=2"),
    "tdnn": ("model=tdnn", "model.channels=8", "data.context=25"),
    "tdnn_unseen": (
        *("model=tdnn", "model.channels=8", "model.dilations=[1,2]", "data.context=9"),
    ),
    "lstm": (
        *("model=lstm", "model.width=4", "model.layers=2", "model.conv_channels=[4]"),
        *("model.chunk_frames=10", "data.context=3"),
    ),
    "gru": (
        *("model=gru", "model.width=5", "model.layers=2", "model.conv_channels=[]"),
        *("model.chunk_frames=20", "model.step_frames=7", "data.context=3"),
    ),
    "ligru": (
        *("model=ligru", "model.width=4", "model.layers=1", "model.conv_channels=[]"),
        *("model.chunk_frames=40", "data.context=3"),
    ),
    "conformer": (
        *("model=conformer", "model.width=8", "model.heads=2", "model.layers=1"),
        *("model.conv_channels=[]", "model.chunk_frames=10", "data.context=3"),
    ),
}
"""Overrides of a config by the name of the network that it describes."""

NORMALIZATIONS = ("none", "utterance", "speaker", "sliding", "global")


def build_predictor(network: str, *overrides: str) -> Predictor:
    """Return an untrained predictor with statistics of batch norm that are not trivial."""
    config = compose([*NETWORKS[network], "data.normalize_frames=6", *overrides])
    torch.manual_seed(0)
    model = build_network(config, FEATURE_DIM, NUM_PHONES).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    kind, rng = config.data.normalize, np.random.default_rng(1)
    statistics = (
        (rng.normal(10, 1, FEATURE_DIM), rng.uniform(2, 4, FEATURE_DIM))
        if kind == "global"
        else (None, None)
    )
    window = config.data.normalize_frames if kind == "sliding" else 0
    return Predictor(
        model=model,
        phones=PhoneSet(("sil", "ə", "B", "D", "ʃ")),
        normalizer=Normalizer(kind, *statistics, window),
        feature_dim=FEATURE_DIM,
        context=config.data.context,
        padding=config.data.padding,
    )


def draw_utterance(num_frames: int) -> np.ndarray:
    """Return (num_frames, FEATURE_DIM) float32 features around the level of log energies."""
    rng = np.random.default_rng(num_frames)
    return rng.normal(10, 3, (num_frames, FEATURE_DIM)).astype(np.float32)
