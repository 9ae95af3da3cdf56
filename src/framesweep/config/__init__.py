"""Schemas of every config group: types and rules here, values in conf/*.yaml."""

from framesweep.config.data import (
    MAX_CONTEXT,
    DataConfig,
    DemoConfig,
    Hw1p2Config,
    Hw1p2FoldersConfig,
    KaldiConfig,
    SegmentsConfig,
)
from framesweep.config.network import (
    AdamConfig,
    AdamWConfig,
    AugmentConfig,
    HardwareConfig,
    MlpConfig,
    ModelConfig,
    MuonConfig,
    OptimConfig,
    SgdConfig,
    TdnnConfig,
)
from framesweep.config.run import RunConfig, SweepConfig, TrackingConfig, TrainConfig

__all__ = [
    "MAX_CONTEXT",
    "SCHEMAS",
    "AdamConfig",
    "AdamWConfig",
    "AugmentConfig",
    "DataConfig",
    "DemoConfig",
    "HardwareConfig",
    "Hw1p2Config",
    "Hw1p2FoldersConfig",
    "KaldiConfig",
    "MlpConfig",
    "ModelConfig",
    "MuonConfig",
    "OptimConfig",
    "RunConfig",
    "SegmentsConfig",
    "SgdConfig",
    "SweepConfig",
    "TdnnConfig",
    "TrackingConfig",
    "TrainConfig",
]

SCHEMAS: dict[str, dict[str, type]] = {
    "data": {
        "demo": DemoConfig,
        "hw1p2": Hw1p2Config,
        "hw1p2_folders": Hw1p2FoldersConfig,
        "segments": SegmentsConfig,
        "kaldi": KaldiConfig,
    },
    "model": {"mlp": MlpConfig, "tdnn": TdnnConfig},
    "optim": {
        "adam": AdamConfig,
        "adamw": AdamWConfig,
        "sgd": SgdConfig,
        "muon": MuonConfig,
    },
    "augment": {"augment": AugmentConfig},
    "hardware": {"hardware": HardwareConfig},
    "tracking": {"tracking": TrackingConfig},
}
"""The schemas an option file can name, by group: `/schema/<group>@_here_: <name>`."""
