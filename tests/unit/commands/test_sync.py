import json

import pytest
from click.testing import CliRunner

from framesweep import tracking
from framesweep.commands.sync import command
from framesweep.errors import TrackingError


@pytest.fixture
def answers():
    """The error that sending a run raises, by the run's name."""
    return {}


@pytest.fixture
def run(monkeypatch, tmp_path, answers):
    """Return a function that runs the command while sending raises what `answers` holds."""
    calls = []

    def sync(directory, outputs, seconds, *, uri, experiment):
        calls.append((directory.name, uri, experiment))
        if directory.name in answers:
            raise answers[directory.name]

    def run(*arguments):
        folders = [tmp_path / name for name in "abc"]
        for folder in folders:
            folder.mkdir()
        return CliRunner().invoke(command, [*arguments, *map(str, folders)]), calls

    monkeypatch.setattr(tracking, "sync", sync)
    return run


def test_each_run_is_told(run, tmp_path):
    result, calls = run()
    assert result.exit_code == 0
    assert result.output == "".join(f"{tmp_path / name}: sent\n" for name in "abc")
    assert calls == [(name, None, None) for name in "abc"]


def test_one_that_is_refused_is_an_error_and_the_others_are_sent(run, answers, tmp_path):
    answers["b"] = TrackingError("b", "2 records are still unsent")
    result, _ = run("--uri", "http://h", "--experiment", "mine")
    assert result.exit_code == 2
    assert result.stdout.splitlines() == [f"{tmp_path / name}: sent" for name in "ac"]
    assert result.stderr == "error: b: 2 records are still unsent\n"


def test_a_server_that_is_away_is_waited_for_once(run, answers):
    answers["a"] = tracking.UnreachableError("a", "3 records are still unsent")
    result, calls = run("--uri", "http://h", "--experiment", "mine")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: a: 3 records are still unsent")
    assert calls == [("a", "http://h", "mine")]


def test_json_has_what_was_sent_before_the_server_went_away(run, answers, tmp_path):
    answers["b"] = tracking.UnreachableError("b", "3 records are still unsent")
    result, _ = run("--json")
    assert result.exit_code == 2
    sent, unsent = json.loads(result.stdout)
    assert sent == {"directory": str(tmp_path / "a"), "is_sent": True, "error": None}
    assert not unsent["is_sent"]
    assert unsent["error"].startswith("b: 3 records")


def test_nothing_to_send_is_said(tmp_path):
    result = CliRunner().invoke(command, ["--outputs", str(tmp_path)])
    assert (result.exit_code, result.output) == (0, f"nothing in {tmp_path} waits to be sent\n")
