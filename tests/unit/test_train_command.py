"""The command of train.py."""

import sys

import pytest

from framesweep import train_command
from framesweep.errors import ConfigError


def raising(error: BaseException):
    def function():
        raise error

    return function


@pytest.fixture
def train(monkeypatch):
    """Call train() with arguments; returns its exit code."""
    monkeypatch.setattr(train_command, "_job", lambda: None)
    for name in ("RANK", "MASTER_ADDR", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
        with pytest.raises(SystemExit) as caught:
            train_command.run()
        return caught.value.code

    return call


def test_a_renamed_group_is_a_warning(train, capsys):
    assert train("lever=noise") == 0
    warning = "warning: lever: has been renamed. Type ablation=noise\n"
    assert capsys.readouterr().err == warning


def test_torchrun_cannot_start_a_sweep(train, monkeypatch, capsys):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    assert train("-m", "seed=1,2") == 2
    assert "error: -m: cannot be used with torchrun" in capsys.readouterr().err
    assert train("seed=1") == 0


def test_only_rank_0_prints_help(train, monkeypatch):
    monkeypatch.setattr(
        train_command, "_run_worker", raising(ConfigError("a", "worker started"))
    )
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    assert train("--help") == 0
    assert train("--cfg=job") == 0
    assert train("seed=1") == 2
    monkeypatch.setenv("RANK", "0")
    assert train("seed=1") == 0


def test_resume_is_no_key_of_hydra(train, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr("framesweep.runs.run.resume", lambda *values: calls.append(values))
    monkeypatch.setattr(train_command, "_job", raising(AssertionError()))
    assert train("resume=abc", "train.epochs=9", f"outputs={tmp_path}") == 0
    assert calls == [("abc", ["train.epochs=9", f"outputs={tmp_path}"], None, tmp_path)]


@pytest.mark.parametrize("flags", [["--cfg", "job"], ["-c", "job"], ["--cfg=job"]])
def test_the_config_of_a_sweep_is_its_preview(flags):
    preview = ["-m", "a=1,2", "sweep.preview=true"]
    assert train_command.preview_sweep(["-m", *flags, "a=1,2"]) == preview
    assert train_command.preview_sweep(["-m", "a=1,2", *flags]) == preview
    assert train_command.preview_sweep(["a=1", *flags]) == ["a=1", *flags]


def test_other_configs_of_a_sweep_are_left_to_hydra():
    assert train_command.preview_sweep(["-m", "--cfg", "hydra"]) == ["-m", "--cfg", "hydra"]
