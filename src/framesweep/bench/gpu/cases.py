"""The configs that are checked and measured, composed beforehand into a file of JSON.

GPU machines often have no network, and no Hydra. `compose_configs` writes the file where there
is one; here it is only read.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from framesweep.bench.corpus import write_corpus
from framesweep.config import MlpConfig, RunConfig
from framesweep.config.network import ScheduleName
from framesweep.config.plain import from_plain
from framesweep.runs.experiment import Experiment, build_experiment

CONFIGS = Path(__file__).with_name("configs.json")
"""One composed config per line."""

MODELS: dict[str, tuple[str, ...]] = {
    "base": ("model=base",),
    "wide": ("model=wide",),
    "conv": ("model=conv",),
    "tdnn": ("model=tdnn",),
    "hw1p2": ("recipe=hw1p2",),
    "deep": ("model=deep",),
}
"""The overrides of each network that is measured; `deep` is checked only."""

FALLING_SCHEDULES = [name for name in get_args(ScheduleName) if name != "constant"]

VARIANTS: dict[str, tuple[str, ...]] = {
    "sgd": ("optim=sgd",),
    "adamw, clipped": ("optim=adamw", "optim.clip_norm=1.0"),
    "muon": ("optim=muon",),
    **{name: (f"optim.schedule={name}",) for name in FALLING_SCHEDULES},
    "ema": ("train.average=ema",),
    "swa": ("train.average=swa", "train.average_from=0.0"),
    "weighted loss": ("optim.class_weights=inverse", "optim.label_smoothing=0.1"),
    "layer norm": ("model.norm=layer",),
    "no norm": ("model.norm=none",),
    "gelu": ("model.activation=gelu",),
    "silu": ("model.activation=silu",),
    "leaky_relu": ("model.activation=leaky_relu",),
    "masks": ("augment=specaugment",),
    "shift": ("augment.shift=1",),
    "gain": ("augment.gain=0.1",),
    "noise": ("augment.noise=0.1",),
    "tempo": ("augment.tempo=0.1",),
    "tdnn, tempo": ("model=tdnn", "augment=specaugment", "augment.tempo=0.1"),
    "windows order": ("train.order=windows", "train.window_frames=8192"),
    "growing batches": ("train.final_batch_size=4096",),
}
"""The overrides of configs that, together with the models, cover what a step can do."""

DETERMINISTIC = (
    *("optim=sgd", "train.average=none", "model.dropout=0.0"),
    *("augment=none", "augment.time_masks=0", "augment.freq_masks=0"),
)
"""Overrides after which a step draws no random numbers, which devices draw differently, and in
which a weight changes in proportion to its gradient."""

Values = dict[str, Any]
"""Other values of keys, by their dotted names."""


def read_configs() -> dict[str, dict[str, Any]]:
    """Return the composed configs by name, as plain values."""
    configs: dict[str, dict[str, Any]] = json.loads(CONFIGS.read_text("utf-8"))
    return configs


@dataclass(frozen=True, slots=True)
class Setup:
    """What all measurements of a call have in common.

    Attributes:
        device: `cuda`, or `cpu` for a rehearsal.
        folder: Where corpora and runs are written.
        num_frames: Train frames of the corpus.
        batch_sizes: Batch sizes to measure, the most important first.
        steps: Steps per measurement.
        rounds: Measurements, of which the median counts.
    """

    device: str
    folder: Path
    num_frames: int
    batch_sizes: tuple[int, ...]
    steps: int
    rounds: int

    @property
    def is_cuda(self) -> bool:
        """Whether this is no rehearsal."""
        return self.device == "cuda"

    @property
    def check_batch(self) -> int:
        """The batch size of checks."""
        return 512 if self.is_cuda else 32

    def config(self, name: str, values: Values | None = None) -> RunConfig:
        """Return a composed config for the device and the corpus, some values changed.

        Raises:
            KeyError: The file of composed configs lacks this one or a key, as a new one.
        """
        changes = {
            "data.root": str(write_corpus(self.folder, self.num_frames).absolute()),
            "outputs": str(self.folder.absolute()),
            "hardware.device": self.device,
            "hardware.threads": None if self.is_cuda else 1,
            "hardware.cuda_graph": False,
            "train.epochs": 1000,
            "train.batch_size": self.check_batch,
            **(values or {}),
        }
        try:
            plain = read_configs()[name]
            if not self.is_cuda:
                changes |= shrink(plain["config"]["model"])
            return from_plain(plain, changes)
        except KeyError as error:
            key = error.args[0]
            raise KeyError(f"{CONFIGS.name} lacks {key}. Run: make gpu-configs") from error

    def build(self, name: str, values: Values | None = None) -> Experiment:
        """Return the experiment that `config` describes."""
        return build_experiment(self.config(name, values))


def shrink(model: Values) -> Values:
    """Return changes of a `model` group that leave a tiny network of the same kind."""
    if "channels" in model:
        return {"model.channels": 8}
    default = MlpConfig()
    sizes = {key: getattr(default, key) for key in ("width", "depth", "shape", "max_params")}
    channels = [4] * len(model["conv_channels"])
    sizes |= {"widths": [16, 16, 16], "conv_channels": channels}
    return {f"model.{key}": value for key, value in sizes.items()}


MODES: dict[str, Values] = {
    "eager": {},
    "graph": {"hardware.cuda_graph": True},
    "compiled": {"hardware.compile": True},
    "compiled graph": {"hardware.compile": True, "hardware.cuda_graph": True},
}
"""The ways to take a step, with the values that choose them."""
