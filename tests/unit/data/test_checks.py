"""Any array is either returned unchanged or refused in one line that names the utterance."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from framesweep.data.checks import MAX_CLASSES, validate_features, validate_labels
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
NUM_EXAMPLES = 150


@settings(max_examples=NUM_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(ANY)
def test_any_features_are_converted_or_refused(array):
    valid = array.dtype.kind == "f" and array.ndim == 2 and array.size > 0
    if valid:
        with np.errstate(over="ignore"):
            valid = bool(np.isfinite(array.astype(np.float32)).all())
    try:
        converted = validate_features(array, "utterance u")
    except DataError as error:
        line = str(error)
    else:
        assert valid
        assert converted.dtype == np.float32
        np.testing.assert_array_equal(converted, array.astype(np.float32))
        return
    assert not valid
    assert line.startswith("utterance u: ")
    assert "\n" not in line


@settings(max_examples=NUM_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(ANY, st.integers(1, 5))
def test_any_labels_are_converted_or_refused(array, num_frames):
    valid = (
        array.dtype.kind in "iu"
        and array.shape == (num_frames,)
        and all(0 <= int(label) < MAX_CLASSES for label in array)
    )
    try:
        converted = validate_labels(array, num_frames, "utterance u")
    except DataError as error:
        line = str(error)
    else:
        assert valid
        assert converted.dtype == np.int16
        assert converted.tolist() == array.tolist()
        return
    assert not valid
    assert line.startswith("utterance u: ")
    assert "\n" not in line


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_position_of_a_non_finite_value_is_named(value):
    features = np.zeros((4, 3), dtype=np.float32)
    features[2, 1] = value
    with pytest.raises(DataError, match="at frame 2, bin 1"):
        validate_features(features, "utterance u")
