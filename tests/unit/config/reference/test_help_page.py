"""The page of `python train.py --help`; `test_cli.py` and the documents' tests print it."""

from framesweep.config.groups import describe_groups, option_groups
from framesweep.config.reference.help_page import describe_help


def test_every_group_and_recipe_is_listed_before_the_config() -> None:
    choices, place, flags = describe_help().partition("$CONFIG\n")
    assert describe_groups() in choices
    for recipe in option_groups()["recipe"]:
        assert f"\n  {recipe}" in choices
    assert place
    assert flags.startswith("Flags\n")


def test_no_line_is_wider_than_a_terminal(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    for program in ("/usr/bin/framesweep", "train.py"):
        monkeypatch.setattr("sys.argv", [program, "train", "--help"])
        assert [line for line in describe_help().splitlines() if len(line) > 80] == []


def test_examples_name_the_command_that_was_typed(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["/usr/bin/framesweep", "train", "--help"])
    assert "\n  framesweep train recipe=quick" in describe_help()
    monkeypatch.setattr("sys.argv", ["train.py", "--help"])
    assert "\n  python train.py recipe=quick" in describe_help()
