"""Any array either comes back as it went in, or is refused in one line that names it."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from framesweep.data.checks import MAX_CLASSES, check_features, check_labels
from framesweep.errors import DataError

SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
DTYPES = st.one_of(
    arrays.floating_dtypes(sizes=(16, 32, 64), endianness="?"),
    arrays.integer_dtypes(endianness="?"),
    arrays.unsigned_integer_dtypes(endianness="?"),
    arrays.boolean_dtypes(),
    arrays.complex_number_dtypes(),
    arrays.unicode_string_dtypes(max_len=3),
    arrays.datetime64_dtypes(),
)
ANY = DTYPES.flatmap(lambda dtype: arrays.arrays(dtype, SHAPES))
NUM_TRIED = 150


@settings(max_examples=NUM_TRIED, deadline=None, suppress_health_check=list(HealthCheck))
@given(ANY)
def test_features(array):
    sound = array.dtype.kind == "f" and array.ndim == 2 and array.size > 0
    if sound:
        with np.errstate(over="ignore"):
            sound = bool(np.isfinite(array.astype(np.float32)).all())
    try:
        checked = check_features(array, "utterance u")
    except DataError as error:
        line = str(error)
    else:
        assert sound
        assert checked.dtype == np.float32
        np.testing.assert_array_equal(checked, array.astype(np.float32))
        return
    assert not sound
    assert line.startswith("utterance u: ")
    assert "\n" not in line


@settings(max_examples=NUM_TRIED, deadline=None, suppress_health_check=list(HealthCheck))
@given(ANY, st.integers(1, 5))
def test_labels(array, num_frames):
    sound = (
        array.dtype.kind in "iu"
        and array.shape == (num_frames,)
        and all(0 <= int(label) < MAX_CLASSES for label in array)
    )
    try:
        checked = check_labels(array, num_frames, "utterance u")
    except DataError as error:
        line = str(error)
    else:
        assert sound
        assert checked.dtype == np.int16
        assert checked.tolist() == array.tolist()
        return
    assert not sound
    assert line.startswith("utterance u: ")
    assert "\n" not in line


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_where_a_value_is_lost_is_told(value):
    features = np.zeros((4, 3), dtype=np.float32)
    features[2, 1] = value
    with pytest.raises(DataError, match="at frame 2, bin 1"):
        check_features(features, "utterance u")
