"""Rules of stochastic gradient descent."""

import math
from typing import Any

import pytest

from framesweep.config import SgdConfig
from framesweep.errors import ConfigError


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("momentum", 1.0),
        ("momentum", -0.1),
        ("momentum", math.nan),
    ],
)
def test_a_value_out_of_range_is_refused(key: str, value: Any):
    with pytest.raises(ConfigError) as caught:
        SgdConfig(**{key: value})
    assert str(caught.value).startswith(f"optim.{key}: must be ")
    assert f"found {value!r}" in str(caught.value)


def test_nesterov_needs_momentum():
    with pytest.raises(ConfigError, match=r"^optim.momentum: must be above 0 with optim.nest"):
        SgdConfig(momentum=0.0)
    assert SgdConfig(momentum=0.0, nesterov=False).momentum == 0
