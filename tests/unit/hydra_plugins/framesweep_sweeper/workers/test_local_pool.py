"""Real worker processes that run small jobs."""

import gc
import os
import signal
import sys
import time

import cloudpickle
import pytest
from hydra import compose, initialize
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import HydraContext, RunMode
from omegaconf import open_dict

from hydra_plugins.framesweep_sweeper.workers import _local_pool
from hydra_plugins.framesweep_sweeper.workers._local_pool import LocalPool, _make_environment
from hydra_plugins.framesweep_sweeper.workers._pool import FinishedJob, Job

# Workers cannot import this file, so its functions are sent to them as code.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


def run(config):
    """Print where the job runs, and end in the way that the config says."""
    if config.end == "gpus":
        print(os.environ.get("CUDA_VISIBLE_DEVICES"))
        return
    if config.end == "frozen":
        print(gc.get_freeze_count() > 0)
        return
    print("pid", os.getpid(), flush=True)
    if config.end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if config.end == "error":
        raise ValueError("no good")
    if config.end == "exit":
        sys.exit("no good")
    while config.end == "wait":
        time.sleep(0.01)


@pytest.fixture
def hydra_context():
    with initialize(config_path=None):
        hydra = GlobalHydra.instance().hydra
        yield HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks())


@pytest.fixture
def make_job(hydra_context, tmp_path):
    def make(number, end=""):
        overrides = [f"hydra.sweep.dir={tmp_path}", f"+end={end}", "hydra.job.name=test"]
        config = compose(overrides=overrides, return_hydra_config=True)
        with open_dict(config):
            config.hydra.sweep.subdir = config.hydra.job.id = str(number)
            config.hydra.job.num = number
            config.hydra.runtime.output_dir = str(tmp_path / str(number))
            config.hydra.mode = RunMode.MULTIRUN
        return Job(number, overrides, config)

    before = HydraConfig.instance().cfg
    yield make
    HydraConfig.instance().cfg = before


@pytest.fixture
def pool(hydra_context):
    pool = LocalPool(2, hydra_context, run)
    yield pool
    pool.close()


def read_console(folder, number):
    return (folder / str(number) / "console.log").read_text()


def test_a_worker_runs_one_job_after_another(pool, make_job, tmp_path):
    for number in (0, 1):
        pool.start(0, make_job(number))
        assert pool.wait(60) == [FinishedJob(0)]
    consoles = [read_console(tmp_path, number) for number in (0, 1)]
    assert consoles[0] == consoles[1]
    assert consoles[0] != f"pid {os.getpid()}\n"


def test_what_the_first_job_has_imported_is_no_longer_searched_for_garbage(
    pool, make_job, tmp_path
):
    for number in (0, 1):
        pool.start(0, make_job(number, end="frozen"))
        assert pool.wait(60) == [FinishedJob(0)]
    assert [read_console(tmp_path, number) for number in (0, 1)] == ["False\n", "True\n"]


def test_an_error_or_an_exit_ends_the_job_but_not_the_worker(pool, make_job, tmp_path):
    for number, end in enumerate(("error", "exit", "")):
        pool.start(0, make_job(number, end))
        assert pool.wait(60) == [FinishedJob(0)]
    consoles = [read_console(tmp_path, number) for number in range(3)]
    assert consoles[0] == consoles[2]
    assert consoles[1].startswith(consoles[2])
    assert "SystemExit: no good" in consoles[1]


def test_a_killed_worker_is_reported_and_replaced(pool, make_job, tmp_path):
    pool.start(0, make_job(0, end="kill"))
    assert pool.wait(60) == [FinishedJob(0, "killed", "worker killed by SIGKILL")]
    pool.start(0, make_job(1))
    assert pool.wait(60) == [FinishedJob(0)]
    assert read_console(tmp_path, 0) != read_console(tmp_path, 1)


def test_each_slot_keeps_its_gpus_also_when_its_worker_is_replaced(
    hydra_context, make_job, tmp_path
):
    pool = LocalPool(2, hydra_context, run, ("GPU-a", "MIG-b"))
    try:
        for number, (slot, end) in enumerate([(1, "gpus"), (1, "kill"), (1, "gpus")]):
            pool.start(slot, make_job(number, end))
            assert pool.wait(60)[0].slot == slot
        pool.start(0, make_job(3, "gpus"))
        assert pool.wait(60) == [FinishedJob(0)]
    finally:
        pool.close()
    consoles = [read_console(tmp_path, number) for number in (0, 2, 3)]
    assert consoles == ["MIG-b\n", "MIG-b\n", "GPU-a\n"]


def test_a_signal_reaches_busy_workers(pool, make_job, tmp_path):
    pool.start(1, make_job(0, end="wait"))
    end = time.monotonic() + 60
    while not (tmp_path / "0" / "console.log").exists() or not read_console(tmp_path, 0):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert pool.wait(0) == []
    pool.signal(0)
    assert pool.wait(60) == [FinishedJob(1, "killed", "worker killed by SIGTERM")]


def test_closing_kills_busy_workers(pool, make_job):
    pool.start(0, make_job(0, end="wait"))
    process = pool._workers[0].process
    pool.close()
    assert process.returncode == -signal.SIGKILL


def test_workers_share_the_cores_unless_the_user_sets_the_number_of_threads(monkeypatch):
    monkeypatch.setattr(_local_pool, "count_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    environment = _make_environment(n_jobs=2)
    assert environment["MKL_NUM_THREADS"] == "4"
    assert environment["OMP_NUM_THREADS"] == "3"
    assert _make_environment(n_jobs=16)["MKL_NUM_THREADS"] == "1"
