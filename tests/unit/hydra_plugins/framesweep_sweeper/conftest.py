import math
import shutil
import subprocess
import sys

import optuna
import pytest

import crowded_study
from hydra_plugins.framesweep_sweeper.storage import _retrying_storage
from hydra_plugins.framesweep_sweeper.storage._database import open_database
from hydra_plugins.framesweep_sweeper.storage._lock import StorageLock
from hydra_plugins.framesweep_sweeper.storage._storage import open_storage
from hydra_plugins.framesweep_sweeper.trials._claims import TrialQueue
from hydra_plugins.framesweep_sweeper.trials._process import Process


@pytest.fixture(autouse=True)
def no_outage_so_far(monkeypatch):
    """Make each test start in a process that has always reached its storage."""
    monkeypatch.setattr(_retrying_storage, "_last_outage", -math.inf)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/studies.db"


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """A database with the study "s"; copying it is several times as fast as making one."""
    path = tmp_path_factory.mktemp("database") / "studies.db"
    storage = open_database(f"sqlite:///{path}")
    optuna.create_study(study_name="s", storage=storage, direction="maximize")
    storage.remove_session()
    storage.engine.dispose()
    return path


@pytest.fixture
def storage(url, database, tmp_path):
    """A storage with the study "s"."""
    shutil.copy(database, tmp_path)
    return open_storage(url, 60)


@pytest.fixture
def make_queue(url, storage):
    """Return a function that makes a queue of the study's trials, as each sweeper has one."""

    def make(retries=1, heartbeat=60):
        study = optuna.load_study(study_name="s", storage=storage)
        lock = StorageLock(url)
        return TrialQueue(study, storage, lock, lambda begun: study.sampler, retries, heartbeat)

    return make


@pytest.fixture
def count_statements():
    """Return a context that yields a list of the SQL statements that a storage sends in it."""
    return crowded_study.count_statements


@pytest.fixture(scope="session")
def dead():
    """A process of this machine that has ended."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = Process.of(child.pid)
    child.communicate(b"\n")
    return process
