"""Training again with other seeds, and with the same."""

import os
from pathlib import Path

import pytest

from configs import compose
from framesweep.config.composition import CONFIG_FILE, dump, register
from framesweep.errors import CheckpointError
from framesweep.runs import reruns
from framesweep.runs.reruns import SeedRuns, read_config, run_again
from framesweep.sweeps.context import PARENT_VARIABLE

register()


@pytest.fixture
def runs(monkeypatch):
    """The runs that would be trained: config, directory and parent."""
    trained = []

    def run(config, directory, in_sweep=False):
        trained.append((config, directory, os.environ.get(PARENT_VARIABLE)))
        return [config.seed / 10, 1.0] if config.further_objectives else config.seed / 10

    monkeypatch.setattr(reruns, "run", run)
    return trained


@pytest.fixture
def study(tmp_path):
    """The directory of a study with a trial 0."""
    (tmp_path / "0").mkdir()
    text = dump(compose(["seed=7", "further_objectives=[model/params]"]))
    (tmp_path / "0" / CONFIG_FILE).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_trial_is_trained_once_for_each_seed(study, runs):
    assert SeedRuns(study, "parent").measure(0, study / "0", [1, 2]) == [0.1, 0.2]
    assert SeedRuns(study, "parent").measure(0, study / "0", [2, 3]) == [0.2, 0.3]
    assert [directory for _, directory, _ in runs] == [
        study / "seeds" / f"0-{seed}" for seed in (1, 2, 3)
    ]
    assert (study / "seeds.csv").read_text().split() == [
        "trial,seed,value",
        "0,1,0.1",
        "0,2,0.2",
        "0,3,0.3",
    ]


def test_the_runs_are_children_of_the_study_s_run(study, runs):
    SeedRuns(study, "parent", "http://host").measure(0, study / "0", [1])
    config, _, parent = runs[0]
    assert parent == "parent"
    assert (config.tracking.uri, config.tracking.run_name) == ("http://host", "trial 0, seed 1")
    assert PARENT_VARIABLE not in os.environ


def test_a_run_is_trained_again_in_a_new_directory(study, runs, tmp_path):
    directory, value = run_again(study / "0", tmp_path / "outputs", None)
    config, trained_in, parent = runs[0]
    assert value == 0.7
    assert trained_in == directory.absolute()
    assert directory.is_relative_to(tmp_path / "outputs" / "runs")
    assert (config.seed, config.outputs, parent) == (7, str(tmp_path / "outputs"), None)


def test_a_run_without_a_config_cannot_be_trained_again(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"config.yaml: must exist"):
        read_config(tmp_path, [])
