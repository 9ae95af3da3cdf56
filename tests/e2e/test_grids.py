"""A grid ends with its answer whatever launcher runs it: its runs, its parent, its study.

`test_ray.py` and `test_slurm.py` run the same grid on their clusters.
"""

import pytest

from grids import run_grid

pytestmark = pytest.mark.heavy

LAUNCHERS = {
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "submitit": ["hydra/launcher=submitit_local"],
    "basic": [],
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_grid_ends_with_its_answer(shell, launcher):
    name = run_grid(shell, *LAUNCHERS[launcher])
    if launcher == "basic":
        assert f"study {name}: 2 complete" in shell.framesweep("best", name).stdout
