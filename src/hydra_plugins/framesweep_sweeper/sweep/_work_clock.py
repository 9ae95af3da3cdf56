"""How long sweepers have worked on a study, over all commands and on all machines.

Each sweeper keeps the time from its start to its last sign of life in an attribute of the
study. The time of a study is the length of the union of these intervals: two sweepers that work
at the same moment count once, and a night in which no sweeper worked does not count. A sweeper
that is killed loses what it worked since its last record only.
"""

import logging
import threading
import time
import uuid
from collections.abc import Iterable

from optuna.storages import BaseStorage

log = logging.getLogger(__name__)

WORKED = "framesweep:worked:"
"""Prefix of the system attributes of a study that keep the intervals, in Unix time."""

RECORD_SECONDS = 15.0
"""Longest time between two records."""


class WorkClock:
    """Measures how long this sweeper works on a study, from `start` to `stop`.

    Args:
        storage: the storage of the study.
        study_id: the study's id in the storage.
        heartbeat: seconds between the heartbeats of a trial; records are at least as frequent.
    """

    def __init__(self, storage: BaseStorage, study_id: int, heartbeat: float) -> None:
        self._storage = storage
        self._study_id = study_id
        self._key = f"{WORKED}{uuid.uuid4().hex[:12]}"
        self._pause = min(RECORD_SECONDS, heartbeat)
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="work clock", daemon=True)

    def start(self) -> float:
        """Begin to record, and return the seconds that the study had been worked on before."""
        self._began, self._started = time.monotonic(), time.time()
        attrs = self._storage.get_study_system_attrs(self._study_id)
        self._before = union_length(v for k, v in attrs.items() if k.startswith(WORKED))
        self.record()
        return self._before

    def keep_recording(self) -> None:
        """Record from now on in a thread, until `stop`."""
        self._thread.start()

    def seconds(self) -> float:
        """Return the seconds for which sweepers have worked on the study by now.

        While this sweeper works, the time of the others adds nothing to its own.
        """
        return self._before + time.monotonic() - self._began

    def record(self) -> None:
        """Record the interval up to now."""
        # By the monotonic clock, which stops while a laptop sleeps.
        end = self._started + time.monotonic() - self._began
        self._storage.set_study_system_attr(self._study_id, self._key, [self._started, end])

    def stop(self) -> None:
        """End the thread, and record the interval a last time."""
        self._wake.set()
        self._thread.join()
        self._record_safely()

    def _run(self) -> None:
        while not self._wake.wait(self._pause):
            self._record_safely()

    def _record_safely(self) -> None:
        try:
            self.record()
        except Exception as error:
            log.warning("the time of the sweep was not recorded (%s)", type(error).__name__)


def union_length(intervals: Iterable[Iterable[float]]) -> float:
    """Return the length of the union of intervals, each of which is a start and an end."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(tuple(interval) for interval in intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
