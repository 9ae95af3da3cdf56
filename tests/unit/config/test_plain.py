"""A config survives the way to plain values and back, for every option."""

import json
from typing import Any

import pytest
from omegaconf import OmegaConf

from configs import compose
from framesweep.config.composition import register
from framesweep.config.plain import flatten, from_plain, to_plain
from framesweep.errors import ConfigError

register()
CONFIGS = (
    (),
    ("recipe=hw1p2", "data.root=x"),
    ("model=tdnn", "optim=muon", "augment=specaugment"),
    ("data=kaldi", "optim=sgd", "+tracking.tags.a=b"),
    ("data=segments", "model.dropout=[0, 0.5, 0.1, 0.2]"),
)


@pytest.mark.parametrize("overrides", CONFIGS)
def test_json_restores_the_config(overrides):
    config = compose(list(overrides))
    assert from_plain(json.loads(json.dumps(to_plain(config)))) == config


@pytest.mark.parametrize("overrides", CONFIGS)
def test_keys_are_flattened_as_omegaconf_does(overrides):
    config = compose(list(overrides))
    expected = {}
    pending: list[tuple[str, Any]] = [
        ("", OmegaConf.to_container(OmegaConf.structured(config)))
    ]
    while pending:
        prefix, value = pending.pop()
        if isinstance(value, dict):
            pending += [(f"{prefix}.{k}" if prefix else str(k), v) for k, v in value.items()]
        else:
            expected[prefix] = value
    found = flatten(config)
    assert found == expected
    assert {key: type(value) for key, value in found.items()} == {
        key: type(value) for key, value in expected.items()
    }


def test_changes_are_checked_as_any_value():
    plain = to_plain(compose([]))
    assert from_plain(plain, {"train.epochs": 2}).train.epochs == 2
    assert plain == to_plain(compose([])), "the original is unchanged"
    with pytest.raises(ConfigError, match=r"^train\.epochs: "):
        from_plain(plain, {"train.epochs": 0})
    with pytest.raises(KeyError, match="no_key"):
        from_plain(plain, {"train.no_key": 0})
