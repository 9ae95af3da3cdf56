"""Every option of every group composes and trains an epoch."""

import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from framesweep.config import HardwareConfig, RunConfig
from framesweep.config.groups import option_groups
from framesweep.config.network import ScheduleName
from framesweep.errors import ConfigError
from framesweep.runs.ensembles.predictions import load_trained_run
from framesweep.runs.run import run
from framesweep.system.hardware import resolve_hardware
from integration.conftest import TINY

pytestmark = pytest.mark.usefixtures("empty_pictures")

GROUPS = ("model", "optim", "augment", "hardware", "tracking", "recipe")
OPTIONS = [f"{group}={option}" for group in GROUPS for option in option_groups()[group]]
ON_SOUND = {"recipe=timit"}
"""Options for a corpus of sound, which test_recipes.py tries."""
SMALLER = {
    "recipe=hw1p2": ["data.context=25", "model.conv_channels=[4,4,4]", "model.max_params=20e3"],
    "recipe=few_hours": ["data.context=40", "model.channels=16", "augment.freq_width=2"],
    "augment=speech": ["model.widths=[16,16]", "augment.freq_width=2"],
    "recipe=quick": ["data.context=16", "model.widths=[16,16]"],
    "model=tdnn": ["data.context=3", "model.channels=16", "model.dilations=[1,2]"],
    "recipe=thorough": ["data.context=48", "model.channels=16", "augment.freq_width=2"],
    "model=conformer": ["model.width=8", "model.layers=1", "model.conv_channels=[8]"],
    "model=ligru": ["model.width=8", "model.layers=1", "model.chunk_frames=16"],
    "model=lstm": ["model.width=8", "model.layers=2", "model.conv_channels=[8]"],
    "model=gru": ["model.width=8", "model.layers=1", "model.chunk_frames=16"],
    "model=conv": ["data.context=16", "model.width=16"],
    "model": ["model.dropout=0.1"],
}
SETTINGS = [
    ["model.widths=null", "model.shape=pyramid", "model.width=32", "model.depth=3"],
    ["model.widths=null", "model.shape=diamond", "model.depth=3", "model.max_params=20e3"],
    ["model.dropout=[0.1,0.2]", "model.widths=[16,16]", "model.residual=true"],
    *([f"model.activation={name}"] for name in ("relu", "gelu", "silu", "leaky_relu")),
    *([f"model.norm={name}"] for name in ("batch", "layer", "none")),
    *([f"model.init={name}"] for name in ("default", "kaiming", "xavier", "orthogonal")),
    *([f"optim.schedule={name}"] for name in get_args(ScheduleName)),
    ["optim.clip_norm=1", "optim.label_smoothing=0.1", "optim.weight_decay=0.01"],
    *([f"data.padding={name}"] for name in ("zero", "replicate", "cross")),
    *([f"data.normalize={name}"] for name in ("none", "utterance", "global")),
    *([f"hardware.precision={name}"] for name in ("auto", "fp32", "bf16")),
    ["data.dtype=float16"],
    ["data.context=0"],
    ["data.context=50"],
    ["objective=dev/loss"],
    ["train.patience=1", "train.max_minutes=1"],
]
NOT_HERE = {
    "hardware=cuda": torch.cuda.is_available,
    "hardware=mps": torch.mps.is_available,
    "hardware=xpu": torch.xpu.is_available,
}


def train(config: RunConfig, directory: Path) -> None:
    value = run(config, directory)
    assert isinstance(value, float)
    assert math.isfinite(value)
    assert (directory / "model" / "model.safetensors").exists()


@pytest.mark.parametrize("option", [o for o in OPTIONS if o not in ON_SOUND])
def test_every_option_trains_an_epoch(compose, hw1p2_root, tmp_path, option):
    group = option.partition("=")[0]
    smaller = SMALLER.get(option, SMALLER.get(group, ["model.widths=[16,16]"]))
    data = ["data=hw1p2", f"data.root={hw1p2_root}"]
    config = compose(option, *data, *(t for t in TINY if group not in t), *smaller)
    if option in NOT_HERE and not NOT_HERE[option]():
        with pytest.raises(ConfigError, match="must be a device of this machine"):
            run(config, tmp_path / "run")
        return
    train(config, tmp_path / "run")


@pytest.mark.parametrize("settings", SETTINGS, ids=" ".join)
def test_every_setting_trains_an_epoch(compose, hw1p2_root, tmp_path, settings):
    widths = [] if settings[0].startswith("model.widths") else ["model.widths=[16,16]"]
    data = ["data=hw1p2", f"data.root={hw1p2_root}"]
    train(compose(*data, *TINY, *widths, *settings), tmp_path / "run")


def test_a_folder_corpus_trains_an_epoch(compose, folders_root, tmp_path):
    data = ["data=hw1p2_folders", f"data.root={folders_root}"]
    train(compose(*data, *TINY, "model.widths=[16,16]"), tmp_path / "run")


def test_the_demo_corpus_trains_an_epoch(compose, tmp_path):
    minutes = [f"data.{split}_minutes=0.1" for split in ("train", "dev", "test")]
    train(compose("data=demo", *minutes, *TINY, "model.widths=[16,16]"), tmp_path / "run")


def test_every_data_option_is_tested_here():
    assert set(option_groups()["data"]) == {
        "demo",
        "hw1p2",
        "hw1p2_folders",
        "segments",
        "kaldi",
        "libriphone",
        "timit_11",
    }


@pytest.mark.parametrize("option", ["libriphone", "timit_11"])
def test_the_course_data_of_ntu_trains_an_epoch(compose, tmp_path, option):
    rng = np.random.default_rng(0)
    root = tmp_path / option
    (root / "feat" / "train").mkdir(parents=True)
    utterances = {f"{i}-1-1": rng.normal(size=(30, 39)).astype(np.float32) for i in range(12)}
    labels = {id: rng.integers(0, 5, size=30) for id in utterances}
    for id, features in utterances.items():
        torch.save(torch.from_numpy(features), root / "feat" / "train" / f"{id}.pt")
    (root / "train_split.txt").write_text("\n".join(utterances))
    lines = [f"{id} {' '.join(map(str, numbers))}\n" for id, numbers in labels.items()]
    (root / "train_labels.txt").write_text("".join(lines))
    padded = [np.pad(x, ((5, 5), (0, 0)), mode="edge") for x in utterances.values()]
    rows = [x[i : i + 11].ravel() for x in padded for i in range(30)]
    np.save(root / "train_11.npy", np.array(rows))
    np.save(root / "train_label_11.npy", np.concatenate(list(labels.values())).astype("U2"))
    train(
        compose(f"data={option}", f"data.root={root}", *TINY, "model.widths=[8]"),
        tmp_path / "run",
    )


def test_a_network_trained_by_several_processes_predicts_in_one(compose, hw1p2_root, tmp_path):
    directory = tmp_path / "run"
    data = ["data=hw1p2", f"data.root={hw1p2_root}"]
    run(compose(*data, *TINY, "model.widths=[8]"), directory)
    several = load_trained_run(directory, ["hardware.processes=2", "hardware.threads=null"])
    assert several.hardware.threads == resolve_hardware(HardwareConfig()).threads
