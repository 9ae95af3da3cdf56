"""The range of every number that has one: what a run accepts, and an editor knows.

Schemas, which check their values here, are also read where Hydra is not installed.
"""

import math
import operator
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from framesweep.errors import ConfigError

Range = dict[str, float]
"""Keywords of JSON schema: minimum, maximum, exclusiveMinimum, exclusiveMaximum."""

MAX_CONTEXT = 50
"""Largest data.context: utterances are padded by this many frames, so that windows of any
context are slices of the same stored rows."""
MAX_WIDTH = 65_536
"""Largest width of a layer."""
MAX_DEPTH = 100
"""Largest number of hidden layers."""
MAX_CHUNK_FRAMES = 10_000
"""Most frames that are trained on together."""


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
UNITS = _between(1, MAX_WIDTH)

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
    "data.min_snr": _between(-200, 200),  # beyond, speech or noise could not be heard
    "data.max_snr": _between(-200, 200),
    "data.num_mel_bins": _between(3, 1000),  # kaldi-native-fbank needs three filters
    "data.num_ceps": POSITIVE,
    "data.window_ms": POSITIVE,
    "data.shift_ms": POSITIVE,
    "data.low_freq": _at_least(0),
    "data.deltas": _between(0, 2),
    "model.width": UNITS,
    "model.widths": UNITS,
    "model.depth": _between(1, MAX_DEPTH),
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
    "model.layers": _between(1, MAX_DEPTH),
    "model.chunk_frames": _between(1, MAX_CHUNK_FRAMES),
    "model.run_frames": _between(1, MAX_CHUNK_FRAMES),
    "model.stride": _between(1, MAX_CHUNK_FRAMES),
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
    "augment.time_masks": _between(0, 100),
    "augment.freq_masks": _between(0, 100),
    "augment.time_width": _at_least(0),
    "augment.freq_width": _at_least(0),
    "augment.shift": _between(0, 1000),
    "augment.tempo": SHARE,
    "augment.gain": _at_least(0),
    "augment.noise": _at_least(0),
    "hardware.threads": _between(1, 1024),
    "hardware.processes": _between(1, 256),
    "hardware.timeout_minutes": POSITIVE,
    "hardware.max_store_gib": POSITIVE,
    "train.epochs": _between(1, 1_000_000),  # more is a typing error
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

FIXES = {
    "data.max_utterances": "Use null for all utterances.",
    "hardware.max_store_gib": "Use null for no limit but the device's memory.",
    "hardware.threads": "Use null for all cores.",
    "optim.clip_norm": "Use null for no clipping.",
}
"""What to do about a number out of range where its key has a value for "no number"."""


def require_group_in_ranges(group: str, config: Any) -> None:
    """Raise ConfigError for a number that is outside of its range.

    Args:
        group: The config group, as `optim`.
        config: The group's config, an instance of a dataclass.
    """
    for field in fields(config):
        _require_in_range(f"{group}.{field.name}", getattr(config, field.name))


def _require_in_range(key: str, value: object) -> None:
    limits = RANGES.get(key)
    if limits is None:
        return
    numbers: list[Any] = value if isinstance(value, list) else [value]
    for number in numbers:
        is_number = isinstance(number, int | float) and not isinstance(number, bool)
        if isinstance(number, list | dict):
            raise ConfigError(key, "must be a list of numbers", found=value)
        if is_number and not _contains(limits, number):
            fix = FIXES.get(key, "")
            raise ConfigError(key, f"must be {_describe(limits)}", found=number, fix=fix)


def _contains(limits: Range, number: float) -> bool:
    is_inside = all(_RULES[name][1](number, limit) for name, limit in limits.items())
    return is_inside and math.isfinite(number)


def _describe(limits: Range) -> str:
    if limits.keys() == {"minimum", "maximum"}:
        return f"between {limits['minimum']:,} and {limits['maximum']:,}"
    return " and ".join(f"{_RULES[name][0]} {limits[name]:,}" for name in limits)
