from typing import Any

import pytest
from omegaconf import OmegaConf
from optuna.exceptions import StorageInternalError

from hydra_plugins.framesweep_sweeper._errors import FailedSweepError, SweepError
from hydra_plugins.framesweep_sweeper.sweep import _run
from hydra_plugins.framesweep_sweeper.sweeper import FramesweepSweeper


@pytest.fixture
def sweep(monkeypatch):
    """Return a function that calls the sweeper; the sweep itself returns or raises `result`."""

    def call(result):
        seen = []

        def run_sweep(*args):
            seen.append(args)
            if isinstance(result, Exception):
                raise result
            return result

        monkeypatch.setattr(_run, "run_sweep", run_sweep)
        sweeper = FramesweepSweeper(n_trials=3)
        config = OmegaConf.create()
        context: Any = "context"
        task: Any = "task"
        sweeper.setup(hydra_context=context, task_function=task, config=config)
        sweeper.sweep(["a=1"])
        assert seen == [({"n_trials": 3}, "context", "task", config, ["a=1"])]

    return call


def test_the_sweep_gets_settings_context_task_config_and_arguments(sweep):
    sweep(0)


@pytest.mark.parametrize(("signum", "code"), [(2, 130), (15, 143)])
def test_an_interrupted_sweep_exits_as_shells_expect(sweep, signum, code):
    with pytest.raises(SystemExit) as exit_:
        sweep(signum)
    assert exit_.value.code == code


@pytest.mark.parametrize(("error", "code"), [(SweepError("x"), 2), (FailedSweepError("x"), 1)])
def test_an_error_of_the_user_is_one_line_and_an_exit_code(sweep, capsys, error, code):
    with pytest.raises(SystemExit) as exit_:
        sweep(error)
    assert exit_.value.code == code
    assert capsys.readouterr().err == "error: x\n"


def test_a_storage_that_stays_away_is_one_line_and_the_command_to_resume(sweep, capsys):
    with pytest.raises(SystemExit) as exit_:
        sweep(StorageInternalError("SQL of many lines"))
    assert exit_.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: hydra.sweeper.storage: could not be reached for 180 s")
    assert line.endswith("Start the same sweep again to resume the study.")
