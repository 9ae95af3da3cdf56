"""Long values are truncated, and many of them are split into requests."""

from framesweep.tracking.mlflow_limits import split, truncate


def test_a_long_value_is_truncated_to_the_limit_and_says_so():
    text = truncate("x" * 50, 30)
    assert text == "x" * 11 + "... (50 characters)"
    assert len(text) == 30
    assert truncate("x" * 30, 30) == "x" * 30


def test_items_are_split_into_full_lists_and_a_rest():
    assert list(split(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(split([], 3)) == []
