"""A value is wrong if no other value of another key makes it right."""

import pytest

from hydra_plugins.framesweep_sweeper._wrong_values import MOST_VALUES, find_wrong_value


def find(axes, is_wrong):
    """Return the points that were tried, and the point that is named as wrong."""
    tried = []

    def check(point):
        tried.append(tuple(point))
        return ValueError(str(point)) if is_wrong(point) else None

    error = find_wrong_value(axes, check)
    return tried, error and str(error)


def test_each_value_is_tried_once():
    tried, wrong = find([[1, 2, 3], ["a", "b"], [7]], lambda point: False)
    assert wrong is None
    assert tried == [(1, "a", 7), (2, "a", 7), (3, "a", 7), (1, "b", 7)]


@pytest.mark.parametrize("axis", [[-1, 2], [2, -1], [-1]])
def test_a_wrong_value_is_found_wherever_it_stands(axis):
    _, wrong = find([["a", "b"], axis], lambda point: point[1] < 0)
    assert wrong == "['a', -1]"


@pytest.mark.parametrize("formats", [["auto", "frames"], ["frames", "auto"]])
@pytest.mark.parametrize("rules", [["none", "pad"], ["pad", "none"]])
def test_two_values_that_do_not_fit_each_other_are_both_right(formats, rules):
    _, wrong = find([formats, rules], lambda point: point == ["auto", "pad"])
    assert wrong is None


def test_of_a_long_list_only_the_beginning_is_tried():
    tried, _ = find([range(1000)], lambda point: False)
    assert len(tried) == MOST_VALUES


def test_without_keys_nothing_is_wrong():
    assert find([], lambda point: False) == ([()], None)
