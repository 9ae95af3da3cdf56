"""The ranges of numeric keys, for the JSON schema of the config and for sweeps.

The rules themselves are checked where a key is used, with errors that name the fix. A test
compares both: what a range excludes must be rejected there, and its ends be accepted.
"""

import operator
from collections.abc import Callable

from omegaconf import DictConfig, ListConfig, OmegaConf

from framesweep.config.data import MAX_CONTEXT
from framesweep.config.features import MAX_MEL_BINS, MIN_MEL_BINS
from framesweep.config.network import MAX_MASKS, MAX_PROCESSES, MAX_SHIFT, MAX_THREADS
from framesweep.config.readers.demo import MAX_DECIBELS
from framesweep.config.run import MAX_EPOCHS
from framesweep.errors import ConfigError

Range = dict[str, float]
"""Keywords of JSON schema: minimum, maximum, exclusiveMinimum, exclusiveMaximum."""

MAX_UNITS = 65_536
"""Largest width of a layer, as in models.widths."""
MAX_LAYERS = 100
"""Largest number of hidden layers, as in models.sizes."""
MAX_CHUNK = 10_000
"""Most frames that are trained on together, as in models.tdnn."""


def _between(low: float, high: float) -> Range:
    return {"minimum": low, "maximum": high}


def _at_least(low: float) -> Range:
    return {"minimum": low}


_RULES: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "minimum": ("at least", operator.ge),
    "exclusiveMinimum": ("above", operator.gt),
    "maximum": ("at most", operator.le),
    "exclusiveMaximum": ("below", operator.lt),
}
SHARE: Range = {"minimum": 0, "exclusiveMaximum": 1}
POSITIVE: Range = {"exclusiveMinimum": 0}
UNITS = _between(1, MAX_UNITS)

RANGES: dict[str, Range] = {
    "data.context": _between(0, MAX_CONTEXT),
    "data.normalize_frames": _at_least(2),
    "data.max_utterances": _at_least(1),
    "data.share": {"exclusiveMinimum": 0, "maximum": 1},
    "data.share_growth": _between(0, 1),
    "data.max_missing": _between(0, 1),
    "data.dev_share": SHARE,
    "data.test_share": SHARE,
    "data.sample_rate": _at_least(1),
    "data.workers": _at_least(1),
    "data.offset_ms": _at_least(0),
    "data.label_shift_ms": POSITIVE,
    "data.train_minutes": POSITIVE,
    "data.dev_minutes": POSITIVE,
    "data.test_minutes": POSITIVE,
    "data.seed": _at_least(0),
    "data.min_snr": _between(-MAX_DECIBELS, MAX_DECIBELS),
    "data.max_snr": _between(-MAX_DECIBELS, MAX_DECIBELS),
    "data.num_mel_bins": _between(MIN_MEL_BINS, MAX_MEL_BINS),
    "data.num_ceps": POSITIVE,
    "data.window_ms": POSITIVE,
    "data.shift_ms": POSITIVE,
    "data.low_freq": _at_least(0),
    "data.deltas": _between(0, 2),
    "model.width": UNITS,
    "model.widths": UNITS,
    "model.depth": _between(1, MAX_LAYERS),
    "model.dropout": SHARE,
    "model.channels": UNITS,
    "model.dilations": UNITS,
    "model.kernel": UNITS,
    "model.conv_channels": UNITS,
    "model.conv_kernel": UNITS,
    "model.conv_stride": UNITS,
    "model.conv_dropout": SHARE,
    "model.heads": _between(1, 64),
    "model.expansion": _between(1, 16),
    "model.layers": _between(1, MAX_LAYERS),
    "model.chunk_frames": _between(1, MAX_CHUNK),
    "model.run_frames": _between(1, MAX_CHUNK),
    "model.stride": _between(1, MAX_CHUNK),
    "model.step_frames": _between(1, 16),
    "optim.lr": POSITIVE,
    "optim.weight_decay": _at_least(0),
    "optim.warmup": SHARE,
    "optim.final_lr": _between(0, 1),
    "optim.step_epochs": _at_least(1),
    "optim.patience": _at_least(1),
    "optim.gamma": {"exclusiveMinimum": 0, "maximum": 1},
    "optim.clip_norm": POSITIVE,
    "optim.label_smoothing": SHARE,
    "optim.beta1": SHARE,
    "optim.beta2": SHARE,
    "optim.eps": POSITIVE,
    "optim.momentum": SHARE,
    "optim.adam_lr": POSITIVE,
    "augment.time_masks": _between(0, MAX_MASKS),
    "augment.freq_masks": _between(0, MAX_MASKS),
    "augment.time_width": _at_least(0),
    "augment.freq_width": _at_least(0),
    "augment.shift": _between(0, MAX_SHIFT),
    "augment.tempo": SHARE,
    "augment.gain": _at_least(0),
    "augment.noise": _at_least(0),
    "hardware.threads": _between(1, MAX_THREADS),
    "hardware.processes": _between(1, MAX_PROCESSES),
    "hardware.timeout_minutes": POSITIVE,
    "hardware.max_store_gib": POSITIVE,
    "train.epochs": _between(1, MAX_EPOCHS),
    "train.batch_size": _at_least(1),
    "train.final_batch_size": _at_least(1),
    "train.window_frames": _at_least(1),
    "train.patience": _at_least(1),
    "train.max_minutes": POSITIVE,
    "train.checkpoint_minutes": POSITIVE,
    "train.ema_decay": SHARE,
    "train.average_from": SHARE,
}
"""The range of each key whose value, or each item of whose value, has one."""


def require_in_ranges(config: DictConfig) -> None:
    """Raise ConfigError for a number of a composed config that is outside of its range."""
    for key, limits in RANGES.items():
        value = OmegaConf.select(config, key)
        numbers = value if isinstance(value, ListConfig) else [value]
        for number in numbers:
            is_number = isinstance(number, int | float) and not isinstance(number, bool)
            if is_number and not all(_RULES[name][1](number, limits[name]) for name in limits):
                rule = " and ".join(f"{_RULES[name][0]} {limits[name]:g}" for name in limits)
                raise ConfigError(key, f"must be {rule}", found=value)
