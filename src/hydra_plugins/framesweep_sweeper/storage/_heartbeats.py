"""Heartbeats, which show other sweepers that a running trial is still being worked on.

A process that is killed cannot say goodbye. On its own machine that shows in the process table
(see `trials._process`); on any other machine only the missing heartbeats do. Databases have a
table of heartbeats that Optuna maintains
(https://optuna.readthedocs.io/en/stable/reference/generated/optuna.storages.RDBStorage.html);
for journal files, which have none, the plugin keeps an attribute of the trial.
"""

import threading
import time
from collections.abc import Iterable

from optuna.storages import BaseStorage
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.trial import FrozenTrial

from hydra_plugins.framesweep_sweeper.storage._retrying_storage import seconds_since_outage

HEARTBEAT = "framesweep:heartbeat"
"""System attribute of a trial in a journal file: the time of its last heartbeat (Unix time)."""

GRACE_BEATS = 2
"""Number of missed heartbeats after which a trial is stale, as in Optuna's databases."""

RETRY_SECONDS = 5.0
"""Seconds to the next attempt after a heartbeat that could not be recorded."""


def find_stale_trials(
    storage: BaseStorage, study_id: int, trials: Iterable[FrozenTrial], heartbeat: int
) -> set[int]:
    """Return the numbers of those running `trials` whose heartbeats have stopped.

    Args:
        storage: the storage of the study.
        study_id: the study's id in the storage.
        trials: the study's running trials.
        heartbeat: seconds between two heartbeats.
    """
    # While the server was away nobody could record a heartbeat. Every living worker gets one
    # interval to do so before its trial may be considered stale.
    if seconds_since_outage() < heartbeat:
        return set()
    if (database := get_database(storage)) is not None:
        ids = set(database._get_stale_trial_ids(study_id))
        return {trial.number for trial in trials if trial._trial_id in ids}
    oldest = time.time() - GRACE_BEATS * heartbeat
    return {
        trial.number for trial in trials if trial.system_attrs.get(HEARTBEAT, oldest) < oldest
    }


def get_database(storage: BaseStorage) -> BaseHeartbeat | None:
    """Return the database behind a retrying storage, or None for a journal file."""
    return getattr(storage, "inner", None)


class HeartbeatThread:
    """A thread that records heartbeats for the trials this process is responsible for.

    Args:
        storage: the storage of the study.
        seconds: seconds between two heartbeats.
    """

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
        """Record a first heartbeat for the trial, and further ones from now on."""
        self.beat(trial_id)
        with self._lock:
            self._trial_ids.add(trial_id)

    def remove(self, trial_id: int) -> None:
        """Record no more heartbeats for the trial."""
        with self._lock:
            self._trial_ids.discard(trial_id)

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._ended = True
        self._wake.set()
        self._thread.join()

    def beat(self, trial_id: int) -> bool:
        """Record one heartbeat; return False if the storage cannot be reached.

        The call bypasses the retries, since the next heartbeat follows anyway.
        """
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
            pause = self._seconds if not missed else min(self._seconds, RETRY_SECONDS)
