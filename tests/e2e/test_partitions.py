"""Servers that become silent: connections are given up in time, and nothing is lost."""

from typing import Any

import pytest
import sqlalchemy

from faults.partition import is_possible, run_inside, run_partition
from framesweep.tracking import mlflow_store
from hydra_plugins.framesweep_sweeper.storage._storage import open_storage

pytestmark = pytest.mark.heavy

needs_namespaces = pytest.mark.skipif(
    not is_possible(), reason="dropping packets needs root, unshare and nft"
)

LIMIT = 60.0
"""Seconds: 30 until unacknowledged data is given up, 10 for another attempt, and a margin."""


@needs_namespaces
def test_statements_locks_and_requests_end_soon_after_packets_are_dropped(tmp_path):
    tmp_path.chmod(0o755)
    seconds = run_inside("measure", tmp_path)
    assert sorted(seconds) == ["lock", "request", "statement", "tracking database"]
    assert max(seconds.values()) < LIMIT


@needs_namespaces
def test_a_sweep_survives_half_a_minute_without_packets(tmp_path):
    result = run_partition(tmp_path, "drop", 30)
    assert result.failures == []
    assert result.survived == result.tried == 4


def test_each_session_asks_the_server_for_limits_unless_the_user_has_set_them(
    postgres_server, tmp_path
):
    names = ("idle_in_transaction_session_timeout", "tcp_user_timeout", "tcp_keepalives_idle")

    def read(engine):
        with engine.connect() as connection:
            return tuple(connection.scalar(sqlalchemy.text(f"SHOW {name}")) for name in names)

    studies, tracked = (postgres_server.create(name) for name in ("limits", "limits2"))
    storage: Any = open_storage(studies, 60)
    assert read(storage.inner._backend.engine) == ("1min", "30000", "10")
    client = mlflow_store.connect(tracked, tmp_path)
    assert read(client._tracking_client.store.engine) == ("1min", "30000", "10")
    own = "?options=-c%20idle_in_transaction_session_timeout%3D7s"
    storage = open_storage(studies + own, 60)
    assert read(storage.inner._backend.engine) == ("7s", "30000", "10")
