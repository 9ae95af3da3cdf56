"""Printed commands run in the folder where they are printed, as they stand."""

import ast
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from configs import compose
from documents import REPOSITORY
from framesweep.config import command_line
from framesweep.config.command_line import (
    IMPORT,
    compare_hint,
    continue_hint,
    printed_as_calls,
    resume_hint,
    runs_hint,
    started_command,
    storage_options,
    train_command,
    train_hint,
    where_options,
)
from framesweep.config.composition import register
from framesweep.config.reference.key_pages import render_options

register()


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """A folder without train.py, from which the installed command was started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FRAMESWEEP_OUTPUTS", raising=False)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/framesweep", "best", "x"])
    return tmp_path


def run_config(**tracking):
    config = compose([])
    return replace(config, tracking=replace(config.tracking, **tracking))


def test_outside_of_a_checkout_the_installed_command_trains(elsewhere):
    assert train_command(["data.context=5"]) == "framesweep train data.context=5"
    (elsewhere / "train.py").write_text("of another program")
    assert train_command([]) == "framesweep train"


def test_the_script_is_named_where_it_is(elsewhere, monkeypatch):
    (elsewhere / "train.py").write_text(f"{IMPORT}\n")
    assert train_command([]) == "python train.py"
    monkeypatch.setattr(sys, "argv", ["../my checkout/train.py"])
    assert train_command(["a=1"]) == "python '../my checkout/train.py' a=1"


def test_the_line_by_which_the_script_is_known_is_in_it():
    assert IMPORT in (REPOSITORY / "train.py").read_text("utf-8")


def test_overrides_are_quoted_for_a_shell(elsewhere):
    overrides = ["model.widths=[1, 2]", "data.root=/it's here", "a=$HOME", "+b=x;y"]
    assert shlex.split(train_command(overrides))[2:] == overrides


def test_a_run_is_resumed_by_its_id_where_that_is_enough(elsewhere, monkeypatch):
    monkeypatch.setattr(command_line.shutil, "which", lambda _: None)
    monkeypatch.setattr(sys, "executable", "/venv/bin/python")
    directory = elsewhere / "outputs" / "runs" / "d" / "t"
    config = run_config()
    assert resume_hint(config, directory, "abc") == "framesweep train resume=abc"
    by_directory = "framesweep train resume=outputs/runs/d/t"
    assert resume_hint(config, directory, None) == by_directory
    assert resume_hint(run_config(uri="http://host"), directory, "abc") == by_directory
    moved = replace(config, outputs="/data/outputs")
    assert resume_hint(moved, Path("/data/outputs/r 1"), "abc") == (
        "framesweep train 'resume=/data/outputs/r 1'"
    )
    monkeypatch.setattr(sys, "argv", ["train.py"])
    assert resume_hint(config, directory, "abc") == "/venv/bin/python train.py resume=abc"


@pytest.mark.parametrize(
    ("folder", "override"),
    [
        ("sweeps/g", "hydra.sweep.dir=sweeps/g"),
        ("my grids/a=b", "'hydra.sweep.dir='\"'\"'my grids/a=b'\"'\"''"),
    ],
)
def test_a_grid_is_continued_by_its_command_in_its_directory(
    elsewhere, monkeypatch, folder, override
):
    arguments = ["-m", "seed=1,2", "hydra.sweep.dir=old"]
    monkeypatch.setattr(sys, "argv", ["framesweep train", *arguments])
    command = continue_hint(elsewhere / folder)
    assert command.endswith(f"framesweep train -m seed=1,2 {override}")
    directory = shlex.split(override)[0]
    read = OverridesParser.create().parse_override(directory).value()
    assert getattr(read, "text", read) == folder
    monkeypatch.setattr(sys, "argv", ["framesweep", "train", *arguments])
    with printed_as_calls():
        call = continue_hint(elsewhere / folder)
    assert ast.literal_eval(call.removeprefix("fs.sweep(")[:-1]) == ["seed=1,2", directory]


def test_the_interpreter_is_named_briefly_if_the_shell_finds_it(elsewhere, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setattr(command_line.shutil, "which", lambda name: f"/venv/bin/{name}")
    monkeypatch.setattr(sys, "executable", "/venv/bin/python")
    assert resume_hint(run_config(), elsewhere, "abc") == "python train.py resume=abc"


def test_commands_are_told_of_other_folders_and_servers(elsewhere, monkeypatch):
    assert where_options(run_config()) == []
    other = replace(run_config(uri="http://host"), outputs=str(elsewhere / "mine"))
    assert where_options(other) == ["--outputs", "mine", "--uri", "http://host"]
    assert where_options(run_config(uri="http://ann:s3cret@host")) == []
    monkeypatch.setenv("FRAMESWEEP_OUTPUTS", "mine")
    assert where_options(other) == ["--uri", "http://host"]


@pytest.mark.parametrize(
    ("storage", "options"),
    [
        ("sqlite:///{}/outputs/studies.db", []),
        ("sqlite:///outputs/studies.db", []),
        ("sqlite:///{}/mine/s.db", ["--storage", "sqlite:///mine/s.db"]),
        ("sqlite:////data/s.db", ["--storage", "sqlite:////data/s.db"]),
        ("{}/outputs/s.journal", ["--storage", "outputs/s.journal"]),
        ("mysql+pymysql://db/studies", ["--storage", "mysql+pymysql://db/studies"]),
        ("mysql+pymysql://ann:s3cret@db/s", ["--storage", "mysql+pymysql://***@db/s"]),
    ],
)
def test_commands_name_a_storage_other_than_the_outputs_own(elsewhere, storage, options):
    assert storage_options(run_config(), storage.format(elsewhere)) == options


def test_the_storage_in_another_outputs_folder_is_its_own(elsewhere):
    other = replace(run_config(), outputs=str(elsewhere / "mine"))
    assert storage_options(other, f"sqlite:///{elsewhere}/mine/studies.db") == []


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (["framesweep train", "a=1"], "framesweep train a=1"),
        (["framesweep", "train", "a=1"], "framesweep train a=1"),
        (["/x/train.py", "a=b c"], "python /x/train.py 'a=b c'"),
        (["train.py", "u=http://ann:s3cret@h"], "python train.py u=http://***@h"),
    ],
)
def test_the_command_that_a_run_records_can_be_run(monkeypatch, argv, command):
    monkeypatch.setattr(sys, "argv", argv)
    assert started_command() == command


def test_keys_print_a_command_that_works_here(elsewhere):
    assert render_options(["recipe"]).endswith("framesweep train recipe=OPTION --cfg job")


def test_no_other_module_spells_out_the_command_that_trains():
    """A text with `python train.py` is wrong outside of a checkout, except in documentation."""
    allowed = {
        "commands/__init__.py",
        "config/command_line.py",
        "config/reference/key_pages.py",
    }
    found = {
        str(path.relative_to(REPOSITORY / "src" / "framesweep"))
        for path in (REPOSITORY / "src" / "framesweep").rglob("*.py")
        for text in _printed_texts(path)
        if "train.py " in text or "python train" in text or "framesweep train" in text
    }
    assert found - allowed - CALLS == set()


CALLS = {"cli.py", "api/composing.py", "api/sweeping.py", "api/training.py"}
"""Modules that set the command of the process, from which the texts are made."""


def _printed_texts(path: Path) -> list[str]:
    """The string constants of a module that are no docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    docs = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docs
    ]


def test_runs_are_listed_in_the_folder_that_was_meant(elsewhere):
    assert runs_hint(Path("outputs")) == "`framesweep runs`"
    assert runs_hint(Path("my outputs")) == "`framesweep runs --outputs 'my outputs'`"
    with printed_as_calls():
        assert runs_hint(Path("outputs")) == "fs.runs()"
        assert runs_hint(Path("/data/outputs")) == 'fs.runs(outputs="/data/outputs")'


def test_a_caller_of_the_python_interface_reads_calls(elsewhere):
    directory, config = elsewhere / "outputs" / "runs" / "d" / "t", run_config()
    elsewhere_config = replace(config, outputs="/data/outputs")
    with printed_as_calls():
        assert resume_hint(config, directory, "abc") == 'fs.train(["resume=abc"])'
        assert resume_hint(config, directory, None) == 'fs.train(["resume=outputs/runs/d/t"])'
        hint = train_hint(["model.widths=[1, 2]", 'a="é"'])
        assert ast.literal_eval(hint[9:-1]) == ["model.widths=[1, 2]", 'a="é"']
        assert train_command(["a=1"]) == "framesweep train a=1"  # what goes into files
        assert compare_hint(config) == "fs.runs()"
        assert compare_hint(elsewhere_config) == 'fs.runs(outputs="/data/outputs")'
    assert train_hint(["a=1"]) == "framesweep train a=1"
    assert compare_hint(elsewhere_config) == "framesweep ui --outputs /data/outputs"
