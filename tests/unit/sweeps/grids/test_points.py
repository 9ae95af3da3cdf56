"""What a job of a grid records in its directory, and what is read from there."""

import math
from dataclasses import replace
from datetime import datetime

import pytest

from framesweep.sweeps.grids.points import (
    POINT_FILE,
    GridPoint,
    read_points,
    read_values,
    write_point,
)

OVERRIDES = ["data.context=15", "+model@net='a, b'", "optim.lr=1e-3", "model.widths=[1,2]"]


@pytest.fixture
def point(tmp_path):
    folder = tmp_path / "1"
    folder.mkdir()
    return GridPoint(
        grid="g",
        number=1,
        overrides=OVERRIDES,
        started=10.0,
        ended=12.0,
        values=[0.5],
        directory=str(folder),
    )


def test_a_written_point_is_read_again(point, tmp_path):
    write_point(point)
    assert read_points(tmp_path, "g") == [point]


def test_points_are_found_below_folders_and_sorted_by_number(point, tmp_path):
    for number in (10, 2):
        folder = tmp_path / "name" / f"n={number}"
        folder.mkdir(parents=True)
        write_point(replace(point, number=number, directory=str(folder)))
    assert [each.number for each in read_points(tmp_path, "g")] == [2, 10]


def test_the_points_of_an_earlier_grid_are_left_out(point, tmp_path):
    write_point(point)
    assert read_points(tmp_path, "another") == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"grid": "g"}'])
def test_a_damaged_record_is_left_out(point, tmp_path, text):
    write_point(point)
    (tmp_path / "1" / POINT_FILE).write_text(text)
    assert read_points(tmp_path, "g") == []


def test_a_record_contains_no_credentials(point, tmp_path):
    write_point(replace(point, overrides=["tracking.uri=http://ann:s3cret@host"]))
    assert "s3cret" not in (tmp_path / "1" / POINT_FILE).read_text()


def test_values_are_those_that_the_overrides_have(point):
    keys = ["data.context", "model", "optim.lr", "model.widths", "absent"]
    assert point.select_values(keys) == {
        "data.context": 15,
        "model": "a, b",
        "optim.lr": 0.001,
        "model.widths": "[1,2]",
    }
    assert point.select_texts(["optim.lr", "absent"]) == {"optim.lr": "1e-3"}


def test_times_are_local(point):
    assert point.start_time == datetime.fromtimestamp(10)
    assert point.end_time == datetime.fromtimestamp(12)


@pytest.mark.parametrize(
    ("returned", "values"),
    [
        (0.5, [0.5]),
        ([0.5, 3], [0.5, 3.0]),
        ("x", None),
        (None, None),
        (math.nan, None),
        ([1, None], None),
    ],
)
def test_objectives_are_numbers_or_there_are_none(returned, values):
    assert read_values(returned) == values
