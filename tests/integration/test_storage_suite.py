"""Optuna's own tests of a storage, on the storages of studies."""

import pytest
from optuna.testing.pytest_storages import StorageTestCase

from hydra_plugins.framesweep_sweeper.storage._storage import open_storage

pytestmark = pytest.mark.heavy

HEARTBEAT = 60


class TestSqlite(StorageTestCase):
    """A SQLite file, with repeated calls while it is locked."""

    @pytest.fixture
    def storage(self, tmp_path):
        return open_storage(f"sqlite:///{tmp_path}/studies.db", HEARTBEAT)


class TestJournal(StorageTestCase):
    """A journal file."""

    @pytest.fixture
    def storage(self, tmp_path):
        return open_storage(f"{tmp_path}/study.journal", HEARTBEAT)
