import logging
import threading

import pytest
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper.workers._devices import WorkerPlan
from hydra_plugins.framesweep_sweeper.workers._launchers import LauncherPool, open_pool
from hydra_plugins.framesweep_sweeper.workers._local_pool import LocalPool
from hydra_plugins.framesweep_sweeper.workers._pool import FinishedJob, Job
from hydra_plugins.framesweep_sweeper.workers._task import SERIAL_VARIABLE


class FakeLauncher(Launcher):
    """Runs jobs by calling a function with the overrides of each."""

    def __init__(self, function):
        self.function = function
        self.calls = []

    def setup(self, *, hydra_context, task_function, config):
        raise AssertionError("the sweeper has set it up")

    def launch(self, job_overrides, initial_job_idx):
        self.calls.append((job_overrides, initial_job_idx))
        returned = JobReturn()
        try:
            returned._return_value = self.function(*job_overrides)
            returned.status = JobStatus.COMPLETED
        except ValueError as error:
            returned._return_value = error
            returned.status = JobStatus.FAILED
        return [returned]


class JoblibLauncher(BasicLauncher):
    """Stands for the launcher of that name, which is an optional dependency."""

    def __init__(self, n_jobs):
        super().__init__()
        self.joblib = {"n_jobs": n_jobs}


JoblibLauncher.__module__ = "some_plugin.joblib_launcher"


def make_job(number, *overrides):
    return Job(number, list(overrides), OmegaConf.create())


def test_a_job_is_launched_by_itself_under_its_number():
    launcher = FakeLauncher(lambda overrides: 0.5)
    pool = LauncherPool(launcher)
    pool.start(2, make_job(7, "a=1"))
    assert pool.wait(30) == [FinishedJob(2)]
    assert launcher.calls == [([["a=1"]], 7)]
    assert pool.wait(0) == []


def test_the_claim_reaches_a_job_through_any_launcher():
    """A launcher passes nothing on but overrides, from which Hydra sets the environment."""
    launcher = FakeLauncher(lambda overrides: 0.5)
    pool = LauncherPool(launcher)
    pool.start(0, make_job(0, "a=1", f"++hydra.job.env_set.{SERIAL_VARIABLE}='3'"))
    pool.wait(30)
    (((overrides,), _),) = launcher.calls
    assert overrides[-1] == "++hydra.job.env_set.FRAMESWEEP_CLAIM='3'"


def test_a_slow_job_does_not_delay_others():
    release = threading.Event()

    def run(overrides):
        return release.wait(60) if overrides == ["slow"] else None

    pool = LauncherPool(FakeLauncher(run))
    pool.start(0, make_job(0, "slow"))
    pool.start(1, make_job(1, "fast"))
    assert pool.wait(30) == [FinishedJob(1)]
    release.set()
    assert pool.wait(30) == [FinishedJob(0)]


def fail_in_the_job(overrides):
    raise ValueError("no good")


def lose_the_worker(overrides):
    raise type("WorkerCrashedError", (Exception,), {})("ray")


@pytest.mark.parametrize(
    ("function", "reason", "message"),
    [
        (fail_in_the_job, "exception", "ValueError: no good"),
        (lose_the_worker, "killed", "WorkerCrashedError: ray"),
    ],
)
def test_an_error_of_the_job_or_the_launcher_ends_the_job_with_a_reason(
    function, reason, message
):
    pool = LauncherPool(FakeLauncher(function))
    pool.start(0, make_job(0))
    assert pool.wait(30) == [FinishedJob(0, reason, message)]


@pytest.fixture
def open_pool_of(monkeypatch):
    """Return a function that opens the pool of a sweep that has this launcher."""

    def open_(launcher, n_jobs=1):
        plugins = Plugins.instance()
        monkeypatch.setattr(plugins, "instantiate_launcher", lambda **_: launcher)
        return open_pool(WorkerPlan(n_jobs), None, None, OmegaConf.create())

    return open_


def test_the_basic_launcher_is_replaced_by_local_workers(open_pool_of):
    assert isinstance(open_pool_of(BasicLauncher()), LocalPool)


def test_any_other_launcher_is_used_and_logs_warnings_only(open_pool_of):
    launcher = JoblibLauncher(n_jobs=1)
    assert isinstance(open_pool_of(launcher), LauncherPool)
    assert logging.getLogger("some_plugin").level == logging.WARNING


@pytest.mark.parametrize(("n_jobs", "expected"), [(1, 2), (2, 2), (5, 5)])
def test_joblib_never_runs_a_job_in_the_sweepers_own_process(open_pool_of, n_jobs, expected):
    launcher = JoblibLauncher(n_jobs=-1)
    open_pool_of(launcher, n_jobs)
    assert launcher.joblib == {"n_jobs": expected}
