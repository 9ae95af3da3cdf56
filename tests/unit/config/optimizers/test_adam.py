"""Rules of Adam and AdamW."""

import math
from typing import Any

import pytest

from framesweep.config import AdamConfig, AdamWConfig
from framesweep.errors import ConfigError


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("beta1", 1.0),
        ("beta2", -0.1),
        ("beta2", math.nan),
        ("eps", 0.0),
    ],
)
def test_a_value_out_of_range_is_refused(key: str, value: Any):
    with pytest.raises(ConfigError) as caught:
        AdamConfig(**{key: value})
    assert str(caught.value).startswith(f"optim.{key}: must be ")
    assert f"found {value!r}" in str(caught.value)
    with pytest.raises(ConfigError):
        AdamWConfig(**{key: value})
