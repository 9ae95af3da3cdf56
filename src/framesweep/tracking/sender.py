"""A thread that takes records to the tracking server, in order, until they arrive."""

import contextlib
import json
import logging
import threading
from typing import Protocol

from framesweep.credentials import scrub
from framesweep.errors import TrackingError
from framesweep.tracking.outbox import Outbox, OutboxRecord

log = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds between two attempts: the first pause, doubled each time up to the longest."""

REFUSED_FILE = "refused.jsonl"
"""Where refused records lie, beside the outbox."""

OPENING_KINDS = ("start", "resume")
"""Kinds of the records that say which run the following ones are of."""


class LostRunError(TrackingError):
    """Tracking does not have the run, or no more."""


class RecordWriter(Protocol):
    """Sends one record to the tracking server."""

    def write(self, record: OutboxRecord) -> None: ...


class Sender:
    """Delivers an outbox from a thread of its own; no error of it ever reaches training.

    `attempted` is set when a run has been opened, or could not be; `run_error` is what was said
    where the run cannot be had, now or later: all records then stay in the outbox.
    `num_refused` records were put aside in `refused.jsonl`, each with its reason.

    Args:
        writer: sends one record. An OSError other than a missing file means that it should
            be tried again; LostRunError, or any other error of an opening record, that the run
            cannot be had; any other error that the record is refused.
    """

    def __init__(self, outbox: Outbox, writer: RecordWriter) -> None:
        self._outbox = outbox
        self._writer = writer
        self._stop = threading.Event()
        self._away = False
        self.num_refused = 0
        self.run_error: Exception | None = None
        self.attempted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tracking", daemon=True)
        self._thread.start()

    def close(self, seconds: float) -> int:
        """Waits for all to arrive; gives the number of records that have not."""
        self._outbox.close()
        try:
            self._thread.join(seconds)
        finally:
            self._stop.set()
        return len(self._outbox)

    def _run(self) -> None:
        wait = FIRST_WAIT
        while (record := self._outbox.first()) is not None and not self._stop.is_set():
            try:
                self._writer.write(record)
            except Exception as error:
                if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                    self._complain(error)
                    record["again"] = True
                    self._stop.wait(wait)
                    wait = min(2 * wait, LONGEST_WAIT)
                    continue
                if record["kind"] in OPENING_KINDS or isinstance(error, LostRunError):
                    self._give_up(error)
                    break
                self._refuse(record, error)
            else:
                self._recover()
            wait = FIRST_WAIT
            self._outbox.remove_first()
            if record["kind"] in OPENING_KINDS:
                self.attempted.set()
        self._outbox.release()

    def _complain(self, error: OSError) -> None:
        if not self._away:
            log.warning(
                "Tracking cannot be reached; what is logged waits in %s (%s)",
                self._outbox.path,
                summarize_error(error),
            )
        self._away = True
        self.attempted.set()

    def _recover(self) -> None:
        if self._away:
            log.info("Tracking is back; what waited arrives now")
        self._away = False

    def _give_up(self, error: Exception) -> None:
        """Keeps what is logged for when the run can be had again."""
        self.run_error = error
        if self.attempted.is_set():  # else whoever waits for it is told
            log.warning(
                "Tracking does not take the run; what is logged waits in %s (%s)",
                self._outbox.path,
                summarize_error(error),
            )
        self.attempted.set()
        self._outbox.wait_closed()

    def _refuse(self, record: OutboxRecord, error: Exception) -> None:
        refused = self._outbox.path.with_name(REFUSED_FILE)
        if self.num_refused == 0:
            log.warning(
                "Tracking refused a record, put in %s (%s)", refused, summarize_error(error)
            )
        self.num_refused += 1
        with contextlib.suppress(OSError), refused.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"reason": summarize_error(error), **record}) + "\n")


def summarize_error(error: Exception) -> str:
    """The first line of an error's text, credentials taken out."""
    return scrub(str(error).strip().split("\n", maxsplit=1)[0])[:300]
