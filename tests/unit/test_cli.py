"""The entry points."""

import errno
import importlib
import signal
import sys

import pytest
from hydra.errors import HydraException

from framesweep import cli
from framesweep.cli import COMMANDS, _exit_code_of
from framesweep.errors import ConfigError, Interrupted, NonFiniteLossError


def raising(error: BaseException):
    def function():
        raise error

    return function


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("a.b", "must be 1", found=2), 2, "a.b: must be 1; found 2"),
        (NonFiniteLossError("the training loss became nan"), 1, "the training loss became nan"),
        (Interrupted(signal.SIGTERM), 143, "stopped by SIGTERM"),
        (OSError(errno.ENOSPC, "No space left", "file"), 2, "file: No space left"),
        (OSError(errno.ENOSPC, "No space left"), 2, "disk: No space left"),
        (HydraException("Something\nis wrong"), 2, "Something is wrong"),
        (
            RuntimeError("Unknown plugin class : 'hydra_plugins.hydra_ray_launcher.x.Y'"),
            2,
            'hydra/launcher: hydra-ray-launcher is not installed. Run: pip install "frame',
        ),
    ],
)
def test_an_error_that_a_user_can_fix_is_one_line_and_an_exit_code(error, code, line, capsys):
    assert _exit_code_of(raising(error)) == code
    text = capsys.readouterr().err
    assert text.startswith(f"error: {line}")
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), ValueError("a bug"), OSError(errno.EIO, "broken disk")]
)
def test_any_other_error_keeps_its_traceback(error):
    with pytest.raises(type(error), match=str(error.args[-1])):
        _exit_code_of(raising(error))


def test_ctrl_c_has_the_exit_code_of_its_signal():
    assert _exit_code_of(raising(KeyboardInterrupt())) == 130
    stopped = KeyboardInterrupt()
    stopped.__cause__ = Interrupted(signal.SIGTERM)
    assert _exit_code_of(raising(stopped)) == 143
    assert _exit_code_of(lambda: None) == 0


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "train"])
def test_every_command_has_a_module_and_says_what_it_does(name):
    command = importlib.import_module(f"framesweep.commands.{name}").command
    assert command.get_short_help_str(limit=200)
    for parameter in command.params:
        assert parameter.param_type_name == "argument" or parameter.help, parameter.name


@pytest.fixture
def train(monkeypatch):
    """Call train() with arguments; returns its exit code."""
    monkeypatch.setattr(cli, "_job", lambda: None)
    for name in ("RANK", "MASTER_ADDR", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.train()
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
    monkeypatch.setattr(cli, "_run_worker", raising(ConfigError("a", "worker started")))
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
    monkeypatch.setattr(cli, "_job", raising(AssertionError()))
    assert train("resume=abc", "train.epochs=9", f"outputs={tmp_path}") == 0
    assert calls == [("abc", ["train.epochs=9", f"outputs={tmp_path}"], None, tmp_path)]


def test_output_into_a_pipe_that_was_closed_ends_quietly_as_by_sigpipe(monkeypatch, capsys):
    monkeypatch.setattr(cli, "is_stdout_closed", lambda: True)
    assert _exit_code_of(raising(BrokenPipeError(errno.EPIPE, "Broken pipe"))) == 141
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(cli, "is_stdout_closed", lambda: False)  # it was another pipe
    assert _exit_code_of(raising(BrokenPipeError(errno.EPIPE, "Broken pipe"))) == 2


@pytest.mark.parametrize("flags", [["--cfg", "job"], ["-c", "job"], ["--cfg=job"]])
def test_the_config_of_a_sweep_is_its_preview(flags):
    preview = ["-m", "a=1,2", "sweep.preview=true"]
    assert cli.preview_sweep(["-m", *flags, "a=1,2"]) == preview
    assert cli.preview_sweep(["-m", "a=1,2", *flags]) == preview
    assert cli.preview_sweep(["a=1", *flags]) == ["a=1", *flags]


def test_other_configs_of_a_sweep_are_left_to_hydra():
    assert cli.preview_sweep(["-m", "--cfg", "hydra"]) == ["-m", "--cfg", "hydra"]
