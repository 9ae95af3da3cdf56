"""Schemas of every config group: types and rules here, values in conf/*.yaml."""

from framesweep.config import networks, optimizers, readers
from framesweep.config.data import DataConfig
from framesweep.config.key_ranges import MAX_CONTEXT
from framesweep.config.network import AugmentConfig, HardwareConfig, ModelConfig, OptimConfig
from framesweep.config.networks.conformer import ConformerConfig
from framesweep.config.networks.mlp import MlpConfig
from framesweep.config.networks.recurrent import GruConfig, LightGruConfig, LstmConfig
from framesweep.config.networks.tdnn import TdnnConfig
from framesweep.config.optimizers.adam import AdamConfig, AdamWConfig
from framesweep.config.optimizers.muon import MuonConfig
from framesweep.config.optimizers.sgd import SgdConfig
from framesweep.config.readers.demo import DemoConfig
from framesweep.config.readers.hw1p2 import Hw1p2Config
from framesweep.config.readers.hw1p2_folders import Hw1p2FoldersConfig
from framesweep.config.readers.kaldi import KaldiConfig
from framesweep.config.readers.segments import SegmentsConfig
from framesweep.config.registry import SCHEMAS, discover
from framesweep.config.run import RunConfig, SweepConfig, TrackingConfig, TrainConfig

__all__ = [
    "MAX_CONTEXT",
    "SCHEMAS",
    "AdamConfig",
    "AdamWConfig",
    "AugmentConfig",
    "ConformerConfig",
    "DataConfig",
    "DemoConfig",
    "GruConfig",
    "HardwareConfig",
    "Hw1p2Config",
    "Hw1p2FoldersConfig",
    "KaldiConfig",
    "LightGruConfig",
    "LstmConfig",
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

for _package in (readers, networks, optimizers):
    discover(_package)
