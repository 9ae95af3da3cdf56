"""The metric of an objective's best value."""

import pytest

from framesweep.sweeps.objective_names import name_best


@pytest.mark.parametrize(
    ("objective", "name"),
    [
        ("dev/speech_accuracy", "best/speech_accuracy"),
        ("model/params", "best/params"),
        ("value", "best/value"),
    ],
)
def test_the_name_keeps_the_metric_of_the_objective(objective, name):
    assert name_best(objective) == name
