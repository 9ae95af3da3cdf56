"""Rules on single numbers."""

import math

import pytest

from framesweep.config.ranges import require_between, require_positive, require_share
from framesweep.errors import ConfigError


@pytest.mark.parametrize("value", [1, 70_000, 1.5])
def test_a_number_within_its_range_is_accepted(value):
    require_between("model.width", value, 1, 70_000)


@pytest.mark.parametrize("value", [0, 70_001, math.nan])
def test_a_number_out_of_its_range_is_named(value):
    with pytest.raises(ConfigError) as caught:
        require_between("model.width", value, 1, 70_000)
    assert str(caught.value) == f"model.width: must be between 1 and 70,000; found {value}"


def test_a_share_may_be_0_but_not_1():
    require_share("model.dropout", 0.0)
    for value in (1.0, -0.1, math.nan):
        with pytest.raises(
            ConfigError, match=r"^model\.dropout: must be at least 0 and below 1"
        ):
            require_share("model.dropout", value)


def test_a_positive_number_is_finite_and_an_error_says_the_fix():
    require_positive("optim.lr", 1e-9)
    for value in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ConfigError, match=r"^optim\.lr: must be above 0; .*\. Use 1e-3\.$"):
            require_positive("optim.lr", value, "Use 1e-3.")
