"""A grid ends with its answer whatever launcher runs it: its runs, its parent, its study.

`test_ray.py` and `test_slurm.py` run the same grid on their clusters.
"""

import os
import signal
import time

import pytest

from grids import list_overrides, run_grid

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


def test_a_killed_grid_is_completed_by_its_command_in_its_folder(shell):
    sweep = shell.folder / "outputs" / "sweeps" / "0-killed"
    folder = f"hydra.sweep.dir={sweep}"
    process = shell.start("-m", *list_overrides(shell), folder, start_new_session=True)
    end = time.monotonic() + 600
    while not (sweep / "1" / "config.yaml").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    weights = (sweep / "0" / "checkpoints" / "best.safetensors").stat().st_mtime_ns
    assert run_grid(shell, folder) == sweep.name
    assert (sweep / "0" / "checkpoints" / "best.safetensors").stat().st_mtime_ns == weights
    (line,) = shell.train(f"resume={sweep.name}", code=2).stderr.splitlines()
    assert line.endswith("with hydra.sweep.dir=outputs/sweeps/0-killed added.")
    refused = shell.train("-m", *list_overrides(shell), folder, "seed=7", code=2)
    assert "must not be that of another grid" in refused.stderr
