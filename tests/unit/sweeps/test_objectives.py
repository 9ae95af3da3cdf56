"""Objectives are metrics, and the first one can change from epoch to epoch."""

import pytest

from framesweep.errors import ConfigError
from framesweep.sweeps.objectives import require_metrics


def test_metrics_are_accepted():
    require_metrics("dev/accuracy", [])
    require_metrics("dev/loss", ["model/params", "dev/phone_error_rate"])


@pytest.mark.parametrize(
    ("objective", "further", "key"),
    [
        ("dev/acc", [], "objective"),
        ("model/params", [], "objective"),
        ("dev/accuracy", ["dev/acc"], "further_objectives"),
    ],
)
def test_other_names_are_refused_with_those_that_there_are(objective, further, key):
    with pytest.raises(ConfigError, match=rf"^{key}: must be one of dev/accuracy .*; found"):
        require_metrics(objective, further)
