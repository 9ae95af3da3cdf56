"""Class numbers stored as text, and the share of train that forms dev."""

from pathlib import Path

import pytest

from framesweep.data.readers.ntu_labels import split_off_dev, to_class_numbers
from framesweep.errors import DataError


def test_numbers_as_text_become_integers():
    assert to_class_numbers(["0", "12", "0"], "file").tolist() == [0, 12, 0]
    for text in ("-1", "1.0", "", "\u0663"):
        with pytest.raises(DataError, match="file: labels must be class numbers"):
            to_class_numbers(["0", text], "file")


def test_dev_is_spread_evenly_and_never_all_or_nothing():
    assert split_off_dev(6, 0.5, Path("x")) == [False, True] * 3
    for count, share in ((3, 0.1), (1, 0.9), (5, 0.0)):
        with pytest.raises(DataError, match="both train and dev; found"):
            split_off_dev(count, share, Path("x"))
