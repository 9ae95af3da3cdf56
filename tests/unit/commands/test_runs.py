"""framesweep runs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from framesweep import catalog
from framesweep.catalog import RunRecord
from framesweep.commands import runs
from framesweep.errors import ConfigError


def record(id, start, accuracy=None, **fields):
    metrics = {} if accuracy is None else {"best/accuracy": accuracy, "dev/loss": 1 - accuracy}
    defaults = {"name": f"run {id}", "state": "finished", "epochs": 3, "metrics": metrics}
    return RunRecord(
        id=id, run_id=id, directory=Path("/o", id), start=start, **{**defaults, **fields}
    )


RUNS = [
    record("dddd", 4e8, None, state="running", epochs=None),
    record("cccc", 3e8, 0.5, study="s", name="trial 1: context=5"),
    record("bbbb", 2e8, 0.75, study="s", name="trial 0: context=15"),
    record("aaaa", 1e8, 0.25, name="model=wide"),
]


@pytest.fixture
def run(monkeypatch):
    """A function that runs the command on the runs above, and returns its result."""
    monkeypatch.setattr(catalog, "list_runs", lambda uri, outputs: RUNS)

    def run(*arguments):
        return CliRunner().invoke(runs.command, arguments, catch_exceptions=False)

    return run


@pytest.fixture
def ids(run):
    """A function that returns the ids that are listed, in order."""
    return lambda *arguments: [
        row["id"] for row in json.loads(run("--json", *arguments).stdout)
    ]


def test_the_table_has_a_row_per_run(run):
    header, first, second, *_ = run().stdout.splitlines()
    assert header.split() == ["run", "started", "state", "accuracy", "epochs", "study", "name"]
    assert first.split()[0] == "dddd"
    assert first.split()[3:] == ["running", "-", "-", "run", "dddd"]
    assert second.split()[3:] == ["finished", "0.5000", "3", "s", "trial", "1:", "context=5"]


def test_without_sweeps_there_is_no_column_for_them(run):
    assert "study" not in run("model=wide").stdout


def test_patterns_are_parts_of_names_or_shell_patterns(ids):
    assert ids("context") == ["cccc", "bbbb"]
    assert ids("*=15") == ["bbbb"]
    assert ids("aa") == ["aaaa"]
    assert ids("trial", "=5") == ["cccc"]
    assert ids("absent") == []


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("accuracy>0.3", ["cccc", "bbbb"]),
        ("accuracy <= 0.5", ["cccc", "aaaa"]),
        ("dev/loss<0.5", ["bbbb"]),
        ("state=running", ["dddd"]),
        ("state!=finished", ["dddd"]),
        ("state=run*", ["dddd"]),
        ("study=", ["dddd", "aaaa"]),
        ("name=trial*", ["cccc", "bbbb"]),
        ("epochs=3", ["cccc", "bbbb", "aaaa"]),
        ("epochs!=3", ["dddd"]),
    ],
)
def test_conditions(ids, condition, expected):
    assert ids("--filter", condition) == expected


def test_several_conditions_must_all_hold(ids):
    assert ids("--filter", "study=s", "--filter", "accuracy>=0.75") == ["bbbb"]


@pytest.mark.parametrize("condition", ["accuracy", "", ">3", "accuracy>many", "state=done"])
def test_what_is_no_condition_is_a_one_line_error(run, condition):
    with pytest.raises(ConfigError, match=r"^--filter: must "):
        run("--filter", condition)


def test_sorting_puts_the_best_first_and_unknown_values_last(ids):
    assert ids("--sort", "accuracy") == ["bbbb", "cccc", "aaaa", "dddd"]
    assert ids("--sort", "accuracy", "--reverse") == ["aaaa", "cccc", "bbbb", "dddd"]
    assert ids("--sort", "dev/loss") == ["bbbb", "cccc", "aaaa", "dddd"]
    assert ids("--sort", "name")[0] == "aaaa"
    assert ids("--limit", "1") == ["dddd"]


def test_a_key_that_no_run_has_is_a_one_line_error(run):
    with pytest.raises(ConfigError, match=r"^--sort: must be .*; found 'nonsense'$"):
        run("--sort", "nonsense")
    for close, meant in (("loss", "dev/loss"), ("acuracy", "accuracy")):
        with pytest.raises(ConfigError, match=rf"found '{close}'\. Did you mean {meant}\?$"):
            run("--sort", close)


def test_json_has_all_that_is_known(run):
    last = json.loads(run("--json").stdout)[-1]
    assert last["directory"] == "/o/aaaa"
    assert (last["state"], last["epochs"], last["accuracy"]) == ("finished", 3, 0.25)
    assert last["metrics"] == {"best/accuracy": 0.25, "dev/loss": 0.75}
    assert last["start"].startswith("1973-03-0")


def test_eighty_columns_suffice(monkeypatch, run):
    monkeypatch.setattr(runs, "terminal_width", lambda: 80)
    monkeypatch.setattr(runs, "ON_TERMINAL", 3)
    long = record("eeee" * 8, 5e8, 0.5, study="2026-11-28_12-00-00-abc123", name="x" * 200)
    monkeypatch.setattr(catalog, "list_runs", lambda uri, outputs: [long, *RUNS])
    result = run()
    lines = result.stdout.splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) == 80
    assert lines[0].split() == ["run", "started", "state", "accuracy", "study", "name"]
    assert f"2026-11-2…  {'x' * 24}…" in lines[1]
    assert result.stderr == "2 more; list them with --limit\n"


def test_a_wide_terminal_has_room_for_all_columns(monkeypatch, run):
    monkeypatch.setattr(runs, "terminal_width", lambda: 120)
    long = record("eeee" * 8, 5e8, 0.5, study="2026-11-28_12-00-00-abc123", name="x" * 200)
    monkeypatch.setattr(catalog, "list_runs", lambda uri, outputs: [long, *RUNS])
    header, first, *_ = run().stdout.splitlines()
    assert "epochs" in header
    assert "2026-11-28_12…  xxxxx" in first
    assert len(first) == 120


def test_an_empty_folder_says_so(monkeypatch, run):
    monkeypatch.setattr(catalog, "list_runs", lambda uri, outputs: [])
    assert run("--outputs", "nowhere").stdout == "no runs in nowhere\n"
    assert run("--outputs", "nowhere", "x").stdout == "no runs in nowhere match\n"
