"""Rules of Muon."""

import math
from typing import Any

import pytest

from framesweep.config import MuonConfig
from framesweep.errors import ConfigError


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("momentum", 1.0),
        ("momentum", math.nan),
        ("adam_lr", 0.0),
    ],
)
def test_a_value_out_of_range_is_refused(key: str, value: Any):
    with pytest.raises(ConfigError) as caught:
        MuonConfig(**{key: value})
    assert str(caught.value).startswith(f"optim.{key}: must be ")
    assert f"found {value!r}" in str(caught.value)
