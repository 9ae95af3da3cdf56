"""Training and sweeping from Python, in one process on a tiny corpus."""

import asyncio
import logging
import os
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import assert_type

import numpy as np
import pandas as pd
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

import framesweep as fs
from framesweep.runs.callback import RunCallback
from framesweep.tracking.mlflow_import import LOG_LEVELS
from integration.conftest import TINY

pytestmark = pytest.mark.usefixtures("empty_pictures")


@pytest.fixture
def overrides(hw1p2_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return [*TINY, "data=hw1p2", f"data.root={hw1p2_root}", "model.widths=[8]"]


def read_state():
    """Return the state of the process that a call must restore."""
    framesweep = logging.getLogger("framesweep")
    return (
        {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)},
        [(log.level, log.propagate, log.handlers[:]) for log in (logging.root, framesweep)],
        GlobalHydra.instance().hydra,
        {thread.name for thread in threading.enumerate()},
        dict(os.environ),
        [logging.getLogger(name).level for name in LOG_LEVELS],
        torch.get_rng_state().tolist(),
    )


class Interrupt(logging.Handler):
    """Presses Ctrl-C when a line is logged."""

    def __init__(self, line: str) -> None:
        super().__init__()
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(self._line):
            os.kill(os.getpid(), signal.SIGINT)


def test_two_trainings_in_one_process_have_the_same_result_and_leave_no_trace(
    overrides, capsys
):
    fs.train(overrides)  # what is imported at first use is left out of the comparison
    capsys.readouterr()
    before = read_state()
    results = [fs.train([*overrides, "train.epochs=2"]) for _ in range(2)]
    assert read_state() == before
    first, second = results
    assert_type(first.metrics["dev/accuracy"], float)
    assert first.directory != second.directory
    columns = [name for name in first.history if name != "train/frames_per_second"]
    pd.testing.assert_frame_equal(first.history[columns], second.history[columns])
    assert first.metrics["dev/accuracy"] == first.history["dev/accuracy"].max()
    printed = capsys.readouterr()
    assert sum(line.startswith("epoch ") for line in printed.out.splitlines()) == 4
    assert printed.err == ""
    assert "\r" not in printed.out
    assert "\x1b" not in printed.out
    log_lines = (first.directory / "train.log").read_text().splitlines()
    assert sum("epoch " in line and "dev loss" in line for line in log_lines) == 2


def test_a_trained_run_predicts_and_is_loaded_again(overrides, tmp_path):
    result = fs.train(overrides)
    features = np.random.default_rng(0).normal(size=(20, 6))
    again = fs.load(result.directory)
    assert again.predict(features).tolist() == result.predict(features).tolist()
    assert again.metrics == result.metrics
    assert fs.load("last").directory == result.directory
    runs = fs.runs()
    assert_type(runs, pd.DataFrame)
    assert runs["state"].tolist() == ["finished"]
    assert fs.load(result).directory == result.directory
    (tmp_path / "elsewhere").mkdir()
    assert fs.runs(tmp_path / "elsewhere").empty


def test_training_works_in_another_thread_and_under_a_running_event_loop(overrides):
    with ThreadPoolExecutor(1) as pool:
        in_thread = pool.submit(fs.train, overrides).result()

    async def cell():
        return fs.train(overrides)

    in_loop = asyncio.run(cell())
    assert in_loop.metrics["dev/accuracy"] == in_thread.metrics["dev/accuracy"]


def test_ctrl_c_ends_a_training_that_can_be_resumed(overrides):
    whole = fs.train([*overrides, "train.epochs=3"])
    handler = Interrupt("epoch 1/3")
    logging.getLogger("framesweep").addHandler(handler)
    try:
        with pytest.raises(
            KeyboardInterrupt, match=r"stopped by SIGINT; fs.train\(\[\"resume="
        ):
            fs.train([*overrides, "train.epochs=3"])
    finally:
        logging.getLogger("framesweep").removeHandler(handler)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    stopped = fs.load("last")
    assert 1 <= len(stopped.history) < 3
    resumed = fs.train([f"resume={stopped.directory}"])
    assert resumed.directory == stopped.directory
    assert resumed.metrics["dev/accuracy"] == whole.metrics["dev/accuracy"]
    assert len(resumed.history) == 3


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("data.contxt=3", r"^data\.contxt: no such key\. Did you mean data\.context\?$"),
        ("data.root=/none", r"^data\.root: must be an existing folder"),
        ("train.epochs=0", r"^train\.epochs: must be"),
        ("data.context=2,3", r"^data\.context: must be a single value .* Call sweep"),
    ],
)
def test_an_error_is_one_exception_with_the_line_of_the_command(overrides, override, line):
    before = read_state()
    with pytest.raises(fs.FramesweepError, match=line) as raised:
        fs.train([*overrides, override])
    assert "\n" not in str(raised.value)
    assert read_state() == before


@pytest.mark.parametrize("swept", [["resume=last"], ["resume=last", "data.context=2,3"]])
def test_a_sweep_does_not_resume_a_run(overrides, tmp_path, swept):
    line = r"^resume: must not be .*'last'. To .*: fs\.train\(\[\"resume=last\"\]\)$"
    with pytest.raises(fs.FramesweepError, match=line):
        fs.sweep([*overrides, *swept])
    assert not (tmp_path / "outputs").exists()


def test_a_grid_is_a_table_with_one_line_per_run_and_then_the_best(overrides, capsys):
    before = logging.root.handlers[:], logging.root.level
    sweep = fs.sweep([*overrides, "model.dropout=0.1,0.2", "train.epochs=2"])
    study, table = sweep
    assert study is None
    assert table["model.dropout"].tolist() == [0.1, 0.2]
    assert sorted(table["rank"]) == [1, 2]
    assert sweep.best.metrics["dev/accuracy"] == table["dev/accuracy"].max()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"grid {sweep.directory.name}: 0 of 2 runs"
    assert [line.split(":")[0] for line in lines[1:3]] == ["run 0 complete", "run 1 complete"]
    assert lines[2].endswith("model.dropout=0.2")
    first_words = [line.split()[0] for line in lines[3:]]
    assert first_words == ["grid", "run", "run", "best:", "next:"]
    assert lines[-2].startswith('best: fs.train(["data.context=2"')
    assert lines[-1].startswith("next: fs.runs()")
    assert (logging.root.handlers, logging.root.level) == before
    assert "epoch 2/2" in (sweep.best.directory / "train.log").read_text()


def test_a_grid_varies_what_its_config_sweeps_over(overrides):
    params = "++hydra.sweeper.params={model.dropout:'0.1,0.2'}"
    table = fs.sweep([*overrides, params, "train.epochs=1"]).table
    assert table["model.dropout"].tolist() == [0.1, 0.2]


def test_a_failed_run_of_a_grid_is_a_row_of_its_table(overrides, capsys):
    grid = fs.sweep([*overrides, "optim.lr=1e30,1e-3"])
    assert grid.table["state"].tolist() == ["FAIL", "COMPLETE"]
    assert grid.table["rank"].fillna(0).tolist() == [0, 1]
    assert grid.table["dev/accuracy"].isna().tolist() == [True, False]
    assert str(grid.best.directory) == grid.table["directory"][1]
    printed = capsys.readouterr()
    assert "Error executing job" not in printed.err
    line = next(line for line in printed.out.splitlines() if "failed" in line)
    assert line.startswith("run 0 failed: optim.lr=1e+30: the training loss became")
    with pytest.raises(fs.FramesweepError, match="the training loss became"):
        fs.sweep([*overrides, "optim.lr=1e30,1e31"])


def test_a_grid_of_one_run_that_fails_has_no_point_to_name(overrides, capsys):
    with pytest.raises(fs.FramesweepError, match="the training loss became"):
        fs.sweep([*overrides, "optim.lr=1e30"])
    assert "run 0 failed: the training loss became" in capsys.readouterr().out


@pytest.mark.heavy
def test_a_search_returns_its_study_and_table_and_continues(overrides, capfd):
    search = [*overrides, "sweep=bare", "model.dropout=interval(0.0,0.5)"]
    with pytest.raises(
        fs.FramesweepError, match=r"^hydra\.sweeper\.n_trials: must be 1 or more"
    ):
        fs.sweep([*search, "hydra.sweeper.n_trials=0"])
    capfd.readouterr()
    sweep = fs.sweep([*search, "hydra.sweeper.n_trials=2"])
    printed = capfd.readouterr()
    assert printed.err == ""
    first_words = [line.partition(" ")[0] for line in printed.out.splitlines()]
    assert first_words == ["study", "trial", "trial", "study", "best:", "next:"]
    assert sweep.study is not None
    assert len(sweep.study.trials) == len(sweep.table) == 2
    assert sweep.best.metrics["dev/accuracy"] == sweep.study.best_value
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}
    assert len(fs.sweep([*search, "hydra.sweeper.n_trials=3"]).table) == 3


def press_ctrl_c_after_the_first_epoch(monkeypatch):
    """Return a list with the epochs that are trained from now on."""
    epochs, on_epoch = [], RunCallback.on_epoch

    def press(callback, epoch, metrics, **kwargs):
        on_epoch(callback, epoch, metrics, **kwargs)
        epochs.append(epoch)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(RunCallback, "on_epoch", press)
    return epochs


def test_a_grid_stops_before_its_next_run_and_is_continued_by_the_call_that_it_prints(
    overrides, monkeypatch, capfd
):
    with monkeypatch.context() as patched:
        epochs = press_ctrl_c_after_the_first_epoch(patched)
        with pytest.raises(KeyboardInterrupt, match="line above says how to train the rest"):
            fs.sweep([*overrides, "train.epochs=2", "model.dropout=0.1,0.2"])
    assert epochs == [1]
    call = capfd.readouterr().out.splitlines()[-1].removeprefix("train the rest: ")
    continued = eval(call, {"fs": fs})
    assert list(continued.table["state"]) == ["COMPLETE", "COMPLETE"]
    assert sorted(path.name for path in continued.directory.glob("[0-9]*")) == ["0", "1"]


def test_ctrl_c_after_the_last_step_ends_a_loop_over_trainings(overrides, monkeypatch):
    epochs = press_ctrl_c_after_the_first_epoch(monkeypatch)
    line = r'the run is complete: fs\.load\("([^"]+)"\)$'

    def train_twice():
        for _ in range(2):
            fs.train(overrides)

    with pytest.raises(KeyboardInterrupt, match=line) as raised:
        train_twice()
    assert epochs == [1]
    complete = re.search(line, str(raised.value))
    assert complete is not None
    assert len(fs.load(complete[1]).predict(np.zeros((3, 6)))) == 3


def test_a_stopped_run_is_finished_by_the_call_that_its_error_names(overrides, monkeypatch):
    with monkeypatch.context() as patched:
        press_ctrl_c_after_the_first_epoch(patched)
        with pytest.raises(KeyboardInterrupt):
            fs.train([*overrides, "train.epochs=9"])
    stopped = fs.load("last")
    with pytest.raises(fs.FramesweepError, match="Resume the run until") as raised:
        stopped.predict(np.zeros((3, 6)))
    call = str(raised.value).partition("that it has: ")[2]
    finished = eval(call, {"fs": fs})
    assert finished.directory == stopped.directory
    assert len(finished.predict(np.zeros((3, 6)))) == 3


def test_the_defaults_of_torch_that_a_caller_has_set_change_nothing(overrides):
    expected = fs.train(overrides)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            result = fs.train(overrides)
        predicted = fs.load(result.directory).posteriors(np.ones((3, 6)))
    finally:
        torch.set_default_dtype(torch.float32)
    assert result.metrics["dev/loss"] == expected.metrics["dev/loss"]
    assert predicted.tolist() == expected.posteriors(np.ones((3, 6))).tolist()
