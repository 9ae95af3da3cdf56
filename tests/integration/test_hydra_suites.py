"""Hydra's own tests of launchers and sweepers, with this sweeper in place of its grid.

What the suites expect of a sweeper but this one deliberately does otherwise is listed with the
reason, and expected to fail.
"""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.test_utils.launcher_common_tests import (
    BatchedSweeperTestSuite,
    IntegrationTestSuite,
    LauncherTestSuite,
)
from hydra.test_utils.test_utils import SweepTaskFunction
from omegaconf import DictConfig, ListConfig, OmegaConf

import warm_processes

# The suites restore the registered configs after each test, those of the plugins among them.
Plugins.instance()

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.filterwarnings("ignore"),  # of the applications in the suites
]

SEARCH = [
    *("hydra/sweeper=framesweep", "hydra/sweeper/sampler=grid", "hydra/sweeper/pruner=none"),
    *("hydra.sweeper.storage=null", "hydra.sweeper.retries=0"),
    # Some of the suites' sweeps have nothing to search, which is refused otherwise.
    "hydra.sweeper.repeat_duplicates=true",
]
"""A search of the whole grid."""

LAUNCHERS = ("basic", "joblib")

DIFFERENCES = {
    "test_sweep_2_jobs_2_batches": "trials are not run in batches: none waits for another",
    "test_failure_preserves_task_traceback": "a failed job is a failed trial; its error is one "
    "line in the study, and its traceback is in the log of the job",
    "test_sweep_with_custom_resolver": "the result of a job is an objective, not a text",
}
"""Tests that fail, each with the reason why this sweeper behaves otherwise."""


START = 'if __name__ == "__main__":'
"""The line after the job in an application of the suites."""


def start_search(launcher: str) -> list[str]:
    """Return the arguments of an application that is searched under a launcher."""
    # A test starts two applications in one folder. The second would find its study complete.
    return ["-m", *SEARCH, "hydra.sweeper.new=true", f"hydra/launcher={launcher}"]


def call(command: list[str], *, env: dict[str, str]) -> None:
    """Run a command as `subprocess.check_call` does, with slow imports done already."""
    process = warm_processes.popen(command, env=env)
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, command)


@pytest.fixture(autouse=True)
def differences(request):
    """Expects the tests that are listed to fail."""
    name = request.node.originalname
    if name in DIFFERENCES:
        request.applymarker(pytest.mark.xfail(reason=DIFFERENCES[name], strict=True))


@pytest.fixture(autouse=True)
def returns(monkeypatch):
    """Gives the suites the results of jobs, sorted by overrides, from the folders of the jobs.

    The sweeper itself returns nothing, like hydra-optuna-sweeper. It runs jobs in the order of
    the sampler.
    """
    enter = SweepTaskFunction.__enter__

    # Hydra declares the attribute `returns` as None, although its sweepers set a list.
    def enter_and_read(sweep: Any) -> SweepTaskFunction:
        enter(sweep)
        assert sweep.temp_dir is not None
        jobs = map(read_job, Path(sweep.temp_dir).glob("*/.hydra"))
        sweep.returns = [sorted(jobs, key=lambda job: list(job.overrides or ()))]
        return sweep

    monkeypatch.setattr(SweepTaskFunction, "__enter__", enter_and_read)


def read_job(folder: Path) -> JobReturn:
    config, hydra, overrides = (
        OmegaConf.load(folder / f"{name}.yaml") for name in ("config", "hydra", "overrides")
    )
    assert isinstance(config, DictConfig)
    assert isinstance(hydra, DictConfig)
    assert isinstance(overrides, ListConfig)
    return JobReturn(
        overrides=list(overrides),
        cfg=config,
        hydra_cfg=hydra,
        working_dir=hydra.hydra.runtime.cwd,
        task_name=hydra.hydra.job.name,
        status=JobStatus.COMPLETED,
    )


@pytest.mark.parametrize("launcher_name", LAUNCHERS)
class TestLaunchers(LauncherTestSuite):
    """What is expected of a launcher, called by this sweeper."""

    @pytest.fixture
    def overrides(self):
        return [*SEARCH]


@pytest.mark.parametrize("launcher_name", LAUNCHERS)
class TestBatches(BatchedSweeperTestSuite):
    """What is expected of a sweeper that runs its jobs in batches."""

    @pytest.fixture
    def overrides(self):
        return [*SEARCH]


@pytest.mark.parametrize("task_launcher_cfg", [{}])
@pytest.mark.parametrize("extra_flags", [*map(start_search, LAUNCHERS)], ids=LAUNCHERS)
class TestApplications(IntegrationTestSuite):
    """What is expected of an application that is started as a process.

    The jobs of the suite return nothing, which is a failed trial here. So they return a number.
    """

    @pytest.fixture(autouse=True)
    def quick_processes(self, monkeypatch):
        monkeypatch.setattr(subprocess, "check_call", call)

    def generate_custom_cmd(self):
        def return_number(command: list[str], filename: str) -> list[str]:
            path = Path(filename)
            code = path.read_text()
            assert code.count(START) == 1
            path.write_text(code.replace(START, f"        return 0.0\n\n{START}"))
            return command

        return return_number
