"""Searches whose trials run in processes of joblib."""

import optuna
import pytest

pytestmark = pytest.mark.heavy

SEARCH = [
    "-m",
    "sweep=bare",
    "tracking=none",
    "hydra.sweeper.study_name=s",
    "hydra.sweeper.n_jobs=2",
]
GRID = ["hydra/sweeper/sampler=grid", "hydra/sweeper/pruner=none", "hydra.sweeper.n_trials=2"]
POINTS = ["data.context=choice(1,2)"]


def results_of(shell):
    """Each trial's parameters, and all that it reported."""
    storage = f"sqlite:///{shell.folder}/outputs/studies.db"
    trials = optuna.load_study(study_name="s", storage=storage).trials
    return {
        tuple(sorted(t.params.items())): (t.state, t.value, t.intermediate_values)
        for t in trials
    }


def test_results_equal_those_of_local_workers(tmp_path, make_shell):
    found = []
    for launcher in ("basic", "joblib"):
        shell = make_shell(tmp_path / launcher)
        shell.folder.mkdir()
        command = [*SEARCH, *GRID, *shell.small, *POINTS, f"hydra/launcher={launcher}"]
        result = shell.train(*command)
        assert "2 trials are done" in result.stdout
        found.append(results_of(shell))
    assert len(found[0]) == 2
    assert found[0] == found[1]
