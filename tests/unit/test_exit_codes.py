"""What is printed about an error, and the exit code."""

import errno
import signal

import pytest
from hydra.errors import HydraException

from framesweep import exit_codes
from framesweep.errors import ConfigError, Interrupted, NonFiniteLossError
from framesweep.exit_codes import exit_code_of


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
    assert exit_code_of(raising(error)) == code
    text = capsys.readouterr().err
    assert text.startswith(f"error: {line}")
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), ValueError("a bug"), OSError(errno.EIO, "broken disk")]
)
def test_any_other_error_keeps_its_traceback(error):
    with pytest.raises(type(error), match=str(error.args[-1])):
        exit_code_of(raising(error))


def test_ctrl_c_has_theexit_code_of_its_signal():
    assert exit_code_of(raising(KeyboardInterrupt())) == 130
    stopped = KeyboardInterrupt()
    stopped.__cause__ = Interrupted(signal.SIGTERM)
    assert exit_code_of(raising(stopped)) == 143
    assert exit_code_of(lambda: None) == 0


def test_output_into_a_pipe_that_was_closed_ends_quietly_as_by_sigpipe(monkeypatch, capsys):
    monkeypatch.setattr(exit_codes, "is_stdout_closed", lambda: True)
    assert exit_code_of(raising(BrokenPipeError(errno.EPIPE, "Broken pipe"))) == 141
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(exit_codes, "is_stdout_closed", lambda: False)  # it was another pipe
    assert exit_code_of(raising(BrokenPipeError(errno.EPIPE, "Broken pipe"))) == 2
