"""The ranges for editors are those that runs accept."""

import dataclasses
import functools
import math

import pytest

from configs import compose
from framesweep.config import SCHEMAS, RunConfig, TrainConfig
from framesweep.config.composition import register
from framesweep.config.groups import options_without_file
from framesweep.config.key_ranges import RANGES
from framesweep.config.reference.key_docs import document_keys
from framesweep.errors import ConfigError
from framesweep.models.network import network_class

register()
KEYS = sorted(RANGES)
BASES = {
    "data": ["data=segments", "data=demo", "data=kaldi", "data=libriphone"],
    "model": ["model=base", "model=conv", "model=tdnn", "model=lstm", "model=conformer"],
    "optim": [f"optim={name}" for name in SCHEMAS["optim"]],
}

ODD_OR_WIDE = (
    *("model.kernel", "model.conv_kernel", "model.conv_stride", "model.dilations"),
    "model.stride",
)
WITHOUT_RANGE = {
    "seed": "torch accepts any integer",
    "data.high_freq": "0 and less count from half the sample rate",
    "model.max_params": "its limits depend on the network",
    "sweep.retries": "the sweeper has its own rules",
}

compose_once = functools.cache(lambda override: compose([override]))


def configs(key: str) -> list[RunConfig]:
    """A config for each option that has the key."""
    group, _, name = key.partition(".")
    own = [f"{of}={option}" for of, option in options_without_file() if of == group]
    composed = [compose_once(option) for option in [*BASES.get(group, ["seed=0"]), *own]]
    return [config for config in composed if hasattr(getattr(config, group), name)]


def is_accepted(config: RunConfig, key: str, value: float) -> bool:
    group, _, name = key.partition(".")
    before = getattr(getattr(config, group), name)
    given = [value] * max(len(before), 1) if isinstance(before, list) else value
    changes = {name: given}
    if name == "width" and hasattr(config.model, "widths"):
        changes |= {"widths": None, "depth": 2}
    if name == "width" and hasattr(config.model, "heads"):
        changes |= {"heads": 1}
    if name == "depth" and hasattr(config.model, "widths"):
        changes |= {"widths": None, "width": 8}
    if name == "widths":
        changes |= {"width": None, "depth": None, "widths": [value]}
    if name == "min_snr":
        changes |= {"max_snr": RANGES["data.max_snr"]["maximum"]}
    if name == "max_snr":
        changes |= {"min_snr": RANGES["data.min_snr"]["minimum"]}
    if name == "run_frames":
        changes |= {"stride": 1}
    if name == "momentum" and hasattr(config.optim, "nesterov"):
        changes |= {"nesterov": False}
    try:
        changed = dataclasses.replace(getattr(config, group), **changes)
        if group == "model":
            network_class(changed).validate(changed, config.data.context)
    except ConfigError as error:
        if str(error.where) != key:
            raise  # another rule was broken
        return False
    return True


@pytest.mark.parametrize("key", KEYS)
def test_values_outside_of_the_range_are_rejected_by_a_run(key):
    limits = RANGES[key]
    outside = [
        *([limits["minimum"] - 1] if "minimum" in limits else []),
        *([limits["maximum"] + 1] if "maximum" in limits else []),
        *([limits["exclusiveMinimum"]] if "exclusiveMinimum" in limits else []),
        *([limits["exclusiveMaximum"]] if "exclusiveMaximum" in limits else []),
    ]
    found = configs(key)
    assert found
    assert outside
    for config in found:
        for value in outside:
            assert not is_accepted(config, key, value), value


@pytest.mark.parametrize("key", KEYS)
def test_the_ends_of_the_range_are_accepted_by_a_run(key):
    limits = RANGES[key]
    smallest = 1 if is_whole(key) else 1e-6
    low = limits.get("minimum", smallest)
    for config in configs(key):
        assert is_accepted(config, key, low)
        if "exclusiveMaximum" in limits:
            assert is_accepted(config, key, math.nextafter(limits["exclusiveMaximum"], 0))
        # The largest even number of frames in a kernel, or dilations as wide as windows, break
        # other rules, which concern several keys.
        elif "maximum" in limits and key not in ODD_OR_WIDE:
            assert is_accepted(config, key, limits["maximum"])


def is_whole(key: str) -> bool:
    return any(doc.key == key and doc.type.startswith("int") for doc in document_keys())


def test_every_number_has_a_range_or_is_known_to_have_none():
    """Otherwise a sweep over the key trains until the trial that breaks the rule."""
    numbers = {doc.key for doc in document_keys() if doc.type.startswith(("int", "float"))}
    numbers |= {
        doc.key for doc in document_keys() if doc.type.startswith(("list[int", "list[f"))
    }
    own = {key for key in numbers if not key.startswith("hydra.")}
    assert own - RANGES.keys() == WITHOUT_RANGE.keys()


def test_every_key_with_a_range_exists():
    assert RANGES.keys() <= {doc.key for doc in document_keys()}
    assert TrainConfig().epochs <= RANGES["train.epochs"]["maximum"]


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("model.dropout=1.5", "must be at least 0 and below 1; found 1.5"),
        ("model.dropout=[0.1,2.0]", "must be at least 0 and below 1; found 2.0"),
        ("optim.lr=0", "must be above 0; found 0.0"),
        ("optim.lr=inf", "must be above 0; found inf"),
        ("optim.lr=nan", "must be above 0; found nan"),
        ("optim.clip_norm=0", "must be above 0; found 0.0. Use null for no clipping."),
        ("model.widths=[512,70000]", "must be between 1 and 65,536; found 70000"),
        ("model.widths=[[16],[8]]", "must be a list of numbers; found [[16], [8]]"),
        ("data.share=1.5", "must be above 0 and at most 1; found 1.5"),
    ],
)
def test_an_error_says_the_range_and_what_was_found(override, line):
    with pytest.raises(ConfigError) as error:
        compose(["model=base", override])
    assert str(error.value) == f"{override.partition('=')[0]}: {line}"
