"""Random configs: each trains an epoch, or is refused in one line that names a key."""

import math
import tempfile
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framesweep.config.network import ScheduleName
from framesweep.errors import ConfigError, NonFiniteLossError
from framesweep.runs.run import run
from integration.conftest import TINY

pytestmark = pytest.mark.usefixtures("empty_pictures")

NUM_TRIED = 25
NUMBERS = st.one_of(st.sampled_from([0, 1, 2, 5, -1]), st.integers(-3, 60))
SHARES = st.one_of(st.sampled_from([0.0, 0.5, 1.0, -0.1]), st.floats(0, 1))
RATES = st.one_of(st.sampled_from([0.0, 1e-3, 1.0]), st.floats(-1, 10, allow_nan=False))
CHOICES = {
    "data.context": st.integers(-1, 51),
    "data.padding": st.sampled_from(["zero", "replicate", "cross"]),
    "data.normalize": st.sampled_from(["none", "utterance", "sliding", "global"]),
    "data.normalize_frames": NUMBERS,
    "data.dtype": st.sampled_from(["float16", "float32"]),
    "data.max_utterances": NUMBERS,
    "model.widths": st.one_of(st.none(), st.lists(st.integers(0, 20), max_size=3)),
    "model.width": st.one_of(st.none(), st.integers(0, 20)),
    "model.depth": st.one_of(st.none(), st.integers(0, 4)),
    "model.shape": st.sampled_from(["cylinder", "pyramid", "inverse", "diamond"]),
    "model.max_params": st.one_of(st.none(), st.floats(10, 1e5)),
    "model.dropout": st.one_of(SHARES, st.lists(SHARES, max_size=3)),
    "model.activation": st.sampled_from(["relu", "gelu", "silu", "leaky_relu"]),
    "model.norm": st.sampled_from(["batch", "layer", "none"]),
    "model.residual": st.booleans(),
    "optim": st.sampled_from(["adam", "adamw", "sgd", "muon"]),
    "optim.lr": RATES,
    "optim.weight_decay": RATES,
    "optim.schedule": st.sampled_from(get_args(ScheduleName)),
    "optim.warmup": SHARES,
    "optim.clip_norm": st.one_of(st.none(), RATES),
    "optim.label_smoothing": SHARES,
    "optim.class_weights": st.sampled_from(["none", "sqrt", "inverse"]),
    "augment.time_masks": NUMBERS,
    "augment.freq_masks": NUMBERS,
    "augment.shift": NUMBERS,
    "augment.tempo": NUMBERS,
    "augment.noise": RATES,
    "train.batch_size": st.integers(0, 200),
    "train.final_batch_size": st.one_of(st.none(), st.integers(0, 200)),
    "train.average": st.sampled_from(["none", "ema", "swa"]),
    "train.average_from": SHARES,
    "hardware.precision": st.sampled_from(["auto", "fp32", "bf16", "fp16"]),
    "seed": st.integers(-(2**63), 2**63 - 1),
    "objective": st.sampled_from(["dev/accuracy", "dev/loss", "dev/macro_accuracy"]),
}
CONFIGS = st.lists(st.sampled_from(list(CHOICES)), unique=True, max_size=12).flatmap(
    lambda keys: st.fixed_dictionaries({key: CHOICES[key] for key in keys})
)


def text_of(value):
    return "null" if value is None else str(value).replace("None", "null")


@settings(
    max_examples=NUM_TRIED,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(CONFIGS)
def test_any_random_config_either_trains_or_is_rejected_in_one_line(
    compose, hw1p2_root, chosen
):
    overrides = [f"{key}={text_of(value)}" for key, value in chosen.items()]
    small = [text for text in TINY if text.partition("=")[0] not in chosen]
    widths = [] if any(key.startswith("model.") for key in chosen) else ["model.widths=[8]"]
    corpus = ["data=hw1p2", f"data.root={hw1p2_root}"]
    with tempfile.TemporaryDirectory() as folder:
        try:
            config = compose(*corpus, *small, *widths, *overrides)
            value = run(config, Path(folder) / "run")
        except (ConfigError, NonFiniteLossError) as error:
            line = str(error)
        else:
            assert isinstance(value, float)
            assert math.isfinite(value)
            return
        assert "\n" not in line
        assert not list(Path(folder).glob("run/model"))
