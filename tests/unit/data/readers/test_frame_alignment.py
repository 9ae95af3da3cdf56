"""Frames of stored features get the labels at their centers, or by a rule of lengths."""

import numpy as np
import pytest

from framesweep.config import SegmentsConfig
from framesweep.data.readers.frame_alignment import (
    align_frames,
    describe_difference,
    stored_frame_centers,
)
from framesweep.errors import DataError


def config(**keys):
    return SegmentsConfig(
        **{"features": "pt", "format": "frames", "shift_ms": 20.0, "segments": "labels", **keys}
    )


def align(num_frames, labels, **keys):
    features = np.arange(num_frames, dtype=np.float32)[:, None]
    found, chosen = align_frames(features, np.array(labels), config(**keys), "labels.npy")
    return found[:, 0].tolist(), chosen.tolist()


def test_centers_follow_the_shift_and_the_offset():
    assert stored_frame_centers(3, config()).tolist() == [0.0125, 0.0325, 0.0525]
    assert stored_frame_centers(2, config(offset_ms=10, shift_ms=30)).tolist() == [0.01, 0.04]


def test_frame_gets_the_label_whose_center_is_nearest():
    # The centers of labels are at 12.5, 22.5, ... ms.
    assert align(4, range(8)) == ([0, 1, 2, 3], [0, 2, 4, 6])
    assert align(4, range(8), offset_ms=18.0)[1] == [1, 3, 5, 7]
    assert align(4, range(8), offset_ms=5.0)[1] == [0, 1, 3, 5]
    assert align(4, range(8), window_ms=10.0, offset_ms=12.5)[1] == [1, 3, 5, 7]


def test_of_two_labels_that_are_equally_near_the_earlier_one_is_taken():
    keys = {"shift_ms": 10.0, "label_shift_ms": 20.0}
    assert align(8, range(4), **keys)[1] == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("shift_ms", [10.0, 11.6, 20.0])
@pytest.mark.parametrize("keys", [{}, {"offset_ms": 0.0}, {"window_ms": 32.0}])
def test_labels_at_the_rate_of_the_features_are_paired_one_to_one(shift_ms, keys):
    keys = {"shift_ms": shift_ms, "label_shift_ms": shift_ms, **keys}
    assert align(300, range(300), **keys)[1] == list(range(300))


def test_last_label_serves_a_frame_beyond_it():
    assert align(4, range(6))[1] == [0, 2, 4, 5]


def test_lengths_that_differ_are_refused_without_a_rule():
    message = (
        r"labels\.npy: labels must end with the features; found '100 frames of 20 ms, "
        r"100 labels of 10 ms'\. .*data\.match_length"
    )
    with pytest.raises(DataError, match=message):
        align(100, range(100))
    assert describe_difference(100, 200, config()) == ""
    assert describe_difference(100, 207, config()) == ""
    assert describe_difference(100, 209, config()) != ""


def test_truncate_leaves_out_the_end_of_the_longer():
    assert align(3, range(5), match_length="truncate") == ([0, 1, 2], [0, 1, 2])
    assert align(5, range(3), match_length="truncate") == ([0, 1, 2], [0, 1, 2])


def test_pad_repeats_the_last_of_the_shorter():
    assert align(3, range(5), match_length="pad") == ([0, 1, 2, 2, 2], [0, 1, 2, 3, 4])
    assert align(5, range(3), match_length="pad") == ([0, 1, 2, 3, 4], [0, 1, 2, 2, 2])


@pytest.mark.parametrize(
    ("num_frames", "num_labels", "expected"),
    [
        (3, 6, [0, 0, 1, 1, 2, 2]),
        (3, 7, [0, 0, 1, 1, 2, 2, 2]),
        (3, 5, [0, 0, 1, 1, 2]),
        (3, 3, [0, 1, 2]),
        (3, 2, [0, 1]),
    ],
)
def test_repeat_follows_s3prl(num_frames, num_labels, expected):
    found, labels = align(num_frames, range(num_labels), match_length="repeat")
    assert found == expected
    assert labels == list(range(num_labels))
    assert config(match_length="repeat").frame_shift_ms == 10
