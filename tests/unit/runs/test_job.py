"""The job that Hydra calls."""

import signal
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from framesweep.config.command_line import train_command
from framesweep.config.composition import register
from framesweep.config.groups import find_conf
from framesweep.errors import ConfigError, Interrupted
from framesweep.runs import run as run_module
from framesweep.runs.job import is_in_sweep, run_job


@pytest.fixture
def job(monkeypatch, tmp_path):
    """Return a function that runs a job of one mode; training raises `error` or returns 0.5."""
    register()

    def call(mode, error=None, overrides=(), preset=None):
        seen = []

        def train(config, directory, *, in_sweep):
            seen.append((config.data.context, directory, in_sweep))
            if error is not None:
                raise error
            return 0.5

        with initialize_config_dir(str(find_conf())):
            config = compose("config", ["data.context=3", *overrides])
        folders = {"cwd": str(tmp_path), "output_dir": str(tmp_path / "run")}
        runtime = {**folders, "choices": {"sweep": preset}}
        hydra_config = OmegaConf.create({"hydra": {"mode": mode, "runtime": runtime}})
        monkeypatch.setattr(HydraConfig.instance(), "cfg", hydra_config)
        monkeypatch.setattr(run_module, "run", train)
        return run_job(config), seen

    return call


@pytest.mark.parametrize("mode", list(RunMode))
def test_a_job_trains_in_the_directory_that_hydra_chose(job, mode, tmp_path):
    value, seen = job(mode)
    assert value == 0.5
    assert seen == [(3, Path(tmp_path / "run"), mode is RunMode.MULTIRUN)]
    assert is_in_sweep() == (mode is RunMode.MULTIRUN)


def test_a_signal_ends_a_grid_and_not_only_its_current_point(job):
    with pytest.raises(KeyboardInterrupt) as raised:
        job(RunMode.MULTIRUN, Interrupted(signal.SIGINT))
    assert isinstance(raised.value.__cause__, Interrupted)
    with pytest.raises(Interrupted):
        job(RunMode.RUN, Interrupted(signal.SIGINT))


@pytest.mark.parametrize("mode", list(RunMode))
def test_a_preview_never_trains(job, mode):
    with pytest.raises(ConfigError, match=r"sweep\.preview: shows what a grid or a search"):
        job(mode, overrides=["sweep.preview=true"])


PRESETS = sorted(path.stem for path in (find_conf() / "sweep").glob("*.yaml"))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_sweep_that_lacks_its_flag_says_what_to_type(job, preset, capsys):
    job(RunMode.RUN, preset=preset)
    command = train_command(["-m", f"sweep={preset}"])
    line = f"warning: sweep={preset} trains one run. Add -m to sweep: {command}\n"
    assert capsys.readouterr().err == line
    job(RunMode.MULTIRUN, preset=preset)
    job(RunMode.RUN)
    assert not capsys.readouterr().err


def test_hydra_knows_the_chosen_preset_of_sweeps_and_none_without():
    register()
    with initialize_config_dir(str(find_conf())):
        for overrides, expected in (([], None), (["sweep=bare"], "bare")):
            config = compose("config", overrides, return_hydra_config=True)
            assert config.hydra.runtime.choices.sweep == expected
