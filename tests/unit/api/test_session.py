"""What a call changes in its process, and restores."""

import logging
import os
import signal
import sys
import threading
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import OmegaConf

from framesweep.api.session import attached, muted, session
from framesweep.errors import FramesweepError, Interrupted, UserError
from hydra_plugins.framesweep_sweeper import SweepError
from hydra_plugins.framesweep_sweeper._errors import FailedSweepError

LOGGER = logging.getLogger("framesweep.some.module")


def call(error: BaseException | None = None) -> None:
    with session("framesweep train", ["a=1"]):
        if error is not None:
            raise error


@pytest.mark.parametrize(
    ("error", "kind", "line"),
    [
        (HydraException("Something\nis wrong"), FramesweepError, "Something is wrong"),
        (SweepError("hydra.sweeper.n: must be 1\nGive 1"), UserError, "n: must be 1\nGive 1$"),
        (FailedSweepError("3 of 3 trials failed"), FramesweepError, "3 of 3 trials failed"),
        (SystemExit(3), FramesweepError, "ended with exit code 3"),
        (UserError("a.b", "must be 1"), UserError, "^a.b: must be 1$"),
    ],
)
def test_an_error_that_a_user_can_fix_is_one_exception_with_its_lines(error, kind, line):
    with pytest.raises(kind, match=line) as raised:
        call(error)
    assert str(raised.value).count("\n") == line.count("\n")
    # What IPython prints in place of a traceback.
    assert raised.value._render_traceback_() == [
        f"{type(raised.value).__name__}: {raised.value}"
    ]


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        call(ZeroDivisionError())


def test_ctrl_c_is_a_keyboard_interrupt():
    with pytest.raises(KeyboardInterrupt, match="stopped by SIGINT"):
        call(Interrupted(signal.SIGINT))


def test_lines_are_printed_once_while_the_call_runs(capsys):
    root = logging.StreamHandler(sys.stdout)
    logging.getLogger().addHandler(root)
    try:
        with session("framesweep train", []):
            LOGGER.info("epoch %d", 1)
            with muted():
                LOGGER.info("hidden")
                LOGGER.warning("shown")
        LOGGER.info("after")
    finally:
        logging.getLogger().removeHandler(root)
    assert capsys.readouterr().out == "epoch 1\nshown\n"


def test_the_handlers_and_levels_of_loggers_are_restored(tmp_path):
    logger = logging.getLogger("framesweep")
    before = (logger.level, logger.propagate, list(logger.handlers))
    file = logging.FileHandler(tmp_path / "log")
    with session("framesweep train", []), attached(file):
        LOGGER.info("written")
    assert (logger.level, logger.propagate, logger.handlers) == before
    assert (tmp_path / "log").read_text() == "written\n"
    assert file.stream is None  # closed


def test_hydra_arguments_and_umask_are_as_before_the_call():
    hydra, config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    mine: Any = OmegaConf.create({"hydra": {}})
    HydraConfig.instance().cfg = mine
    arguments, umask = list(sys.argv), os.umask(0o027)
    try:
        with session("framesweep train", ["tracking.uri=postgresql://me:secret@host/db"]):
            assert sys.argv[:2] == ["framesweep", "train"]
            assert os.umask(0o077) == 0o077  # files with credentials are private
            HydraConfig.instance().cfg = None
        assert HydraConfig.instance().cfg is mine
        assert GlobalHydra.instance().hydra is hydra
        assert sys.argv == arguments
        assert os.umask(umask) == 0o027
    finally:
        HydraConfig.instance().cfg = config
        os.umask(umask)


def test_calls_of_several_threads_take_turns():
    inside, order = threading.Event(), []

    def other():
        inside.wait()
        with session("framesweep train", []):
            order.append("second")

    thread = threading.Thread(target=other)
    thread.start()
    with session("framesweep train", []):
        inside.set()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
