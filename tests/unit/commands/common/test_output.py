"""What commands print is valid JSON, or fits the terminal."""

import importlib
import json
from pathlib import Path

import click
import numpy as np
import pytest

from framesweep.commands import COMMANDS
from framesweep.commands.common.output import (
    echo_json,
    echo_result,
    format_time,
    layout_table,
    to_plain,
)


def test_json_has_neither_nan_nor_infinity_nor_paths(capsys):
    echo_json({"a": [float("nan"), float("inf"), 0.5], 1: Path("x"), "n": np.float32(0.25)})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "a": [None, None, 0.5],
        "1": "x",
        "n": 0.25,
    }


def test_plain_values_stay_as_they_are():
    values = {"a": (1, True, None, "text"), "b": np.array([1.0, np.nan])}
    assert to_plain(values) == {"a": [1, True, None, "text"], "b": [1.0, None]}


def test_json_is_ascii_so_that_any_terminal_can_print_it(capsys):
    echo_json(["ʃ"])
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == ["ʃ"]


def test_times_have_an_offset():
    assert format_time(0)[-6] in "+-"


def test_columns_are_aligned_and_lines_are_cut_only_on_a_terminal():
    rows = [["a", "1", "long name"], ["bcd", "10", "x"]]
    header = ["id", "n", "name"]
    full = layout_table(header, rows, None, right="n")
    assert full == ["id    n  name", "a     1  long name", "bcd  10  x"]
    narrow = layout_table(header, rows, 12, right="n")
    assert narrow == ["id    n  na…", "a     1  lo…", "bcd  10  x"]


def test_control_characters_of_a_name_are_not_printed():
    assert "\x1b" not in layout_table(["name"], [["\x1b[31mred"]], None)[1]


NO_RESULTS = {"train": "a run", "ui": "a server", "completion": "a script"}
"""Commands that print no results, and what they print or start instead."""


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in NO_RESULTS])
def test_every_command_that_prints_results_can_print_json(name):
    command = importlib.import_module(f"framesweep.commands.{name}").command
    for one in command.commands.values() if isinstance(command, click.Group) else [command]:
        assert "--json" in {flag for parameter in one.params for flag in parameter.opts}


def test_a_result_is_printed_as_json_or_as_lines(capsys):
    echo_result(True, {"file": Path("x")}, "written to x")
    assert json.loads(capsys.readouterr().out) == {"file": "x"}
    echo_result(False, {"file": Path("x")}, "written to x", "and checked")
    assert capsys.readouterr().out == "written to x\nand checked\n"


def test_lines_about_what_was_written_to_standard_output_are_apart_from_it(capsys):
    echo_result(False, {"file": Path("/dev/stdout")}, "5 frames written")
    assert capsys.readouterr() == ("", "5 frames written\n")
