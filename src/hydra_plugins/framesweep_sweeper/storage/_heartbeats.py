"""Signs of life that keep a running trial from being taken over."""

import threading
import time
from collections.abc import Iterable

from optuna.storages import BaseStorage
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.trial import FrozenTrial

from hydra_plugins.framesweep_sweeper.storage._retrying_storage import seconds_since_outage

HEARTBEAT = "framesweep:heartbeat"
GRACE_BEATS = 2
MISSED_SECONDS = 5.0
"""Seconds to the next sign of life after one that could not be given."""


def find_stale_trials(
    storage: BaseStorage, study_id: int, trials: Iterable[FrozenTrial], heartbeat: int
) -> set[int]:
    """Numbers of those running `trials` whose heartbeat has stopped."""
    if seconds_since_outage() < heartbeat:
        return set()  # who could not sign while the server was away shall do so first
    if (database := get_database(storage)) is not None:
        ids = set(database._get_stale_trial_ids(study_id))
        return {trial.number for trial in trials if trial._trial_id in ids}
    oldest = time.time() - GRACE_BEATS * heartbeat
    return {
        trial.number for trial in trials if trial.system_attrs.get(HEARTBEAT, oldest) < oldest
    }


def get_database(storage: BaseStorage) -> BaseHeartbeat | None:
    """The database behind `storage`, which keeps heartbeats itself; None for a journal."""
    return getattr(storage, "inner", None)


class HeartbeatThread:
    """A thread that gives signs of life for the trials this process answers for."""

    def __init__(self, storage: BaseStorage, seconds: float) -> None:
        self._storage = storage
        self._seconds = seconds
        self._trial_ids: set[int] = set()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def add(self, trial_id: int) -> None:
        self.beat(trial_id)
        with self._lock:
            self._trial_ids.add(trial_id)

    def remove(self, trial_id: int) -> None:
        with self._lock:
            self._trial_ids.discard(trial_id)

    def stop(self) -> None:
        self._ended = True
        self._wake.set()
        self._thread.join()

    def beat(self, trial_id: int) -> bool:
        """Records one sign of life; False where the storage cannot be reached."""
        try:
            if (database := get_database(self._storage)) is not None:
                database.record_heartbeat(trial_id)
            else:
                self._storage.set_trial_system_attr(trial_id, HEARTBEAT, time.time())
        except Exception:
            return False
        return True

    def _run(self) -> None:
        pause = self._seconds
        while not self._wake.wait(pause) and not self._ended:
            with self._lock:
                trial_ids = tuple(self._trial_ids)
            missed = sum(not self.beat(trial_id) for trial_id in trial_ids)
            pause = self._seconds if not missed else min(self._seconds, MISSED_SECONDS)
