from typing import Any

import pytest
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper.sweep.preview._text import (
    Point,
    describe_extremes,
    describe_points,
    describe_space,
    estimate_cost,
    find_extremes,
    inspect_point,
    print_preview,
)


class SizeOfConfig:
    """Takes the size of a job from its config, and keeps what it is asked to estimate."""

    def size(self, config):
        if config.size < 0:
            raise ValueError("size: must not be negative\nand more lines")
        return config.size

    def estimate(self, extremes, num_trials, num_workers):
        return [f"{extremes} {num_trials} {num_workers}"]


def inspect(size, previewer=None):
    return inspect_point(f"size={size}", lambda: OmegaConf.create({"size": size}), previewer)


def test_the_extremes_are_those_of_the_product():
    axes = [[3, 1, 2], [10], [5, 7]]
    asked = []

    def product(values):
        asked.append(values)
        return inspect(values[0] * values[1] * values[2], SizeOfConfig())

    extremes = find_extremes(axes, product)
    assert extremes is not None
    assert [point.size for point in extremes] == [50, 210]
    assert len(asked) == 3 + 1 + 2 + 2


def test_values_that_would_fail_are_no_extremes():
    extremes = find_extremes([[-1, 4, 2]], lambda values: inspect(values[0], SizeOfConfig()))
    assert extremes is not None
    assert [point.size for point in extremes] == [2, 4]


def test_without_sizes_there_are_no_extremes():
    assert find_extremes([[1, 2]], lambda values: inspect(values[0])) is None
    assert not list(describe_extremes(None))


def test_a_point_that_would_fail_says_why_in_one_line():
    def fail() -> Any:
        raise RuntimeError("a.b: no such key") from ValueError("b: no such option\nsecond line")

    points = [inspect(7, SizeOfConfig()), inspect(-1, SizeOfConfig())]
    points.append(inspect_point("b=x", fail, SizeOfConfig()))
    assert list(describe_points(points)) == [
        "3 sampled points:",
        "  parameters",
        "  7           size=7",
        "  ?           size=-1",
        "  ?           b=x",
        "  would fail: size=-1: size: must not be negative",
        "  would fail: b=x: b: no such option",
    ]


def test_conditions_have_a_column_only_if_there_are_any():
    rows = [("a", "choice(1, 2)", ""), ("long", "1", "a=2")]
    assert list(describe_space(rows)) == [
        "  key   values        only when",
        "  a     choice(1, 2)",
        "  long  1             a=2",
    ]
    assert list(describe_space(rows[:1])) == ["  key  values", "  a    choice(1, 2)"]


@pytest.mark.parametrize("known", [True, False])
def test_the_application_estimates_the_cost(known):
    one, two = OmegaConf.create({"size": 1}), OmegaConf.create({"size": 2})
    extremes = (Point("", one, 1), Point("", two, 2)) if known else None
    expected = (one, two) if known else None
    assert estimate_cost(SizeOfConfig(), extremes, 20, 3) == [f"{expected} 20 3"]
    assert not estimate_cost(None, extremes, 20, 3)


def test_a_preview_is_printed(capsys):
    print_preview(iter(["a", "b"]))
    assert capsys.readouterr().out == "a\nb\n"
