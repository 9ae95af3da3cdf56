"""The metrics of smoothed predictions."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from framesweep.data.phones import PhoneSet
from framesweep.evaluation.smoothed_metrics import measure_smoothed


def test_accuracy_and_error_rates_are_named_after_the_split():
    phones = PhoneSet(("sil", "aa", "ao"))
    labels, lengths = np.array([0, 1, 2, 0]), np.array([4])
    split: Any = SimpleNamespace(name="test", labels=labels, lengths=lengths)
    assert measure_smoothed(np.array([0, 1, 1, 0]), split, phones) == {
        "test/smoothed_accuracy": 0.75,
        "test/smoothed_phone_error_rate": 0.25,
        "test/smoothed_phone_error_rate_39": 0.0,
    }
