"""Commands, their options and their arguments are completed."""

import importlib

import pytest

from framesweep.commands import COMMANDS
from framesweep.completion import arguments
from framesweep.completion.arguments import complete_command
from framesweep.completion.candidates import Candidate


@pytest.fixture(autouse=True)
def some_runs(monkeypatch):
    def list_runs(outputs, uri):
        return [Candidate("last"), Candidate("ab12"), Candidate(f"uri-{uri}-{outputs}")]

    monkeypatch.setattr(arguments, "list_run_candidates", list_runs)
    monkeypatch.setattr(arguments, "list_study_candidates", lambda _: [Candidate("study")])


def texts(current, *words):
    answer = complete_command(words, current)
    return answer if isinstance(answer, str) else [one.text for one in answer]


def test_commands_are_completed():
    assert texts("") == [*COMMANDS, "--help", "--version"]
    assert texts("ev") == ["evaluate"]
    assert texts("", "absent") == []


def test_options_are_completed_and_their_values():
    assert "--split" in texts("--s", "evaluate", "last")
    assert texts("d", "evaluate", "--split") == ["dev"]
    assert texts("", "completion") == ["bash", "zsh"]
    assert texts("", "evaluate", "last", "--report") == "dirs"
    assert texts("x", "predict", "last", "--out") == "files"
    assert texts("acc", "runs", "--sort") == ["accuracy"]


@pytest.mark.parametrize("command", ["evaluate", "predict", "compare", "reproduce", "export"])
def test_runs_are_completed_also_after_options(command):
    assert texts("ab", command) == ["ab12"]
    assert texts("uri", command, "--uri", "u", "--outputs", "o") == ["uri-u-o"]


def test_a_single_run_is_followed_by_no_other():
    assert texts("", "reproduce", "ab12") == []
    assert texts("la", "compare", "ab12") == ["last"]


def test_a_report_is_of_a_study_or_a_run_and_labels_are_of_files():
    assert texts("", "report") == ["last", "ab12", "uri-None-outputs", "study"]
    assert texts("la", "label") == ["last"]
    assert texts("x.wa", "label", "last") == "files"


def test_what_is_no_run_may_be_its_directory():
    assert texts("outputs/ru", "evaluate") == "files"


def test_studies_keys_and_overrides_are_completed():
    assert texts("", "best") == ["study"]
    assert texts("", "predict", "--study") == ["study"]
    assert texts("data.cont", "keys") == ["data.context"]
    assert texts("data=k", "inspect") == ["data=kaldi"]
    assert texts("data.padd", "evaluate", "x", "--set") == ["data.padding="]
    assert texts("model=w", "train") == ["model=wide"]


def test_subcommands_are_completed():
    assert texts("", "db") == ["upgrade"]
    assert "--backed-up" in texts("--", "db", "upgrade")
    assert texts("", "db", "absent") == []


def test_every_command_and_every_option_of_it_can_be_completed():
    for name in COMMANDS:
        if name != "train":
            assert importlib.import_module(f"framesweep.commands.{name}").command
            assert isinstance(texts("--", name), list)
