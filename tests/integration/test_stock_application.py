"""An application of hydra-optuna-sweeper, in which one word is changed: the sweeper's name."""

import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf

pytestmark = pytest.mark.heavy

APP = """
import hydra
from omegaconf import DictConfig
from optuna.trial import Trial


def extend(config: DictConfig, trial: Trial) -> None:
    if trial.params["x"] > 0:
        trial.suggest_float("z", 0, config.max_z)


@hydra.main(config_path=".", config_name="config")
def sphere(config: DictConfig):
    if config.fail_at is not None and config.x == config.fail_at:
        raise RuntimeError("no good")
    value = config.x**2 + config.y**2 + config.z**2
    return (value, config.x) if config.two else value


if __name__ == "__main__":
    sphere()
"""
CONFIG = """
defaults:
  - override hydra/sweeper: optuna
  - override hydra/sweeper/sampler: tpe

hydra:
  sweeper:
    sampler:
      seed: 123
    direction: minimize
    study_name: sphere
    storage: null
    n_trials: 6
    n_jobs: 1
    max_failure_rate: 0.0
    params:
      x: range(-4, 5)
      y: choice(-5, 0, 5)
    custom_search_space: app.extend
  sweep:
    dir: multirun

x: 1
y: 1
z: 0
max_z: 1
two: false
fail_at: null
"""
WORD = "hydra/sweeper: optuna"
SECONDS = 600


@pytest.fixture
def sweep(tmp_path):
    """Runs the application with the one word changed, and returns what it printed."""
    (tmp_path / "app.py").write_text(APP)
    assert CONFIG.count(WORD) == 1
    (tmp_path / "config.yaml").write_text(CONFIG.replace(WORD, "hydra/sweeper: framesweep"))

    def run(*overrides, code=0):
        result = subprocess.run(
            [sys.executable, "app.py", "--multirun", *overrides],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout + result.stderr

    return run


def load(folder: Path) -> optuna.Study:
    return optuna.load_study(study_name="sphere", storage=f"sqlite:///{folder}/study.db")


def test_it_searches_the_same_space_and_writes_the_same_results(sweep, tmp_path):
    sweep()
    folder = tmp_path / "multirun"
    study = load(folder)
    assert len(study.trials) == 6
    for trial in study.trials:
        assert trial.params["x"] in range(-4, 5)
        assert trial.params["y"] in (-5, 0, 5)
        assert ("z" in trial.params) == (trial.params["x"] > 0)
        z = trial.params.get("z", 0)
        assert trial.value == pytest.approx(
            trial.params["x"] ** 2 + trial.params["y"] ** 2 + z**2
        )
        assert (folder / str(trial.number)).is_dir()
    results = OmegaConf.load(folder / "optimization_results.yaml")
    assert results == {
        "name": "optuna",
        "best_params": study.best_params,
        "best_value": study.best_value,
    }
    multirun = OmegaConf.load(folder / "multirun.yaml")
    assert multirun.hydra.sweeper.params == {"x": "range(-4, 5)", "y": "choice(-5, 0, 5)"}


def test_several_directions_have_a_pareto_front(sweep, tmp_path):
    nsgaii = "hydra/sweeper/sampler=nsgaii"
    sweep(
        "two=true",
        "hydra.sweeper.direction=[minimize,maximize]",
        nsgaii,
        "hydra.sweeper.n_jobs=2",
    )
    folder = tmp_path / "multirun"
    results = OmegaConf.load(folder / "optimization_results.yaml")
    front = load(folder).best_trials
    assert [solution["values"] for solution in results.solutions] == [t.values for t in front]


def test_a_failure_rate_of_zero_ends_the_sweep_at_the_first_failure(sweep, tmp_path):
    grid = ["hydra/sweeper/sampler=grid", "hydra.sweeper.retries=0", "x=choice(1,2,3)", "y=0"]
    output = sweep("fail_at=2", *grid, "hydra.sweeper.custom_search_space=null", code=1)
    assert "RuntimeError: no good" in output
    failed = [t for t in load(tmp_path / "multirun").trials if t.state.name == "FAIL"]
    assert len(failed) == 1
