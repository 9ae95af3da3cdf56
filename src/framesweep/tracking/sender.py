"""The thread that sends an outbox to the tracking server.

Sending happens in a thread of its own so that an epoch never waits for the network: `append`
costs one write to a local file, whatever the server does. One thread, not several, because a
run must exist before its metrics and end after them: records are sent strictly in order, and a
record that cannot be sent now holds up those behind it.

How a run ends: `close` announces that no more records follow, waits a limited time until the
thread has emptied the outbox, and then returns. The thread is a daemon, so a server that never
answers cannot keep the process alive. What is left stays in the outbox for `framesweep sync` or
for the run's next start.
"""

import contextlib
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_delay,
    wait_exponential,
)

from framesweep.errors import LostRunError
from framesweep.tracking.mlflow_errors import is_disk_full, summarize_error
from framesweep.tracking.outbox import OPENING_KINDS, REFUSED_FILE, Outbox, put_aside
from framesweep.tracking.records import OutboxRecord, RecordWriter

log = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds between two attempts: the first wait, which doubles up to the longest."""

STATUS_KINDS = (*OPENING_KINDS, "status")
"""Kinds of the records that set the status of the run, or create it."""

RESTORE_SECONDS = 20.0
"""How long a process tries to undo what it did to a run that belongs to another one."""


class Sender:
    """Sends the records of an outbox from a thread; none of its errors reaches training.

    Args:
        is_owned: whether the run still belongs to this process; asked before each attempt. Once
            it does not, nothing more is sent.
        starts: whether the thread starts now; otherwise when the run is first asked for by
            `await_opening`, or at the end.

    Attributes:
        open_attempted: is set once the run was opened, or it is known that it could not be.
        opening_error: why the run cannot be opened, if that was not logged.
        run_error: why the run cannot be opened or continued. All records then stay in the
            outbox, as they belong to a run that may come back.
        num_refused: number of records that were moved to `refused.jsonl`, with the reason.
    """

    def __init__(
        self,
        outbox: Outbox,
        writer: RecordWriter,
        is_owned: Callable[[], bool] = lambda: True,
        *,
        starts: bool = True,
    ) -> None:
        self._outbox = outbox
        self._is_owned = is_owned
        self._writer = writer
        self._stop = threading.Event()
        self._is_settled = threading.Event()
        self._is_settled.set()
        self._is_unreachable = self._is_full = self._is_closing = False
        self.num_refused = 0
        self.run_error: Exception | None = None
        self.opening_error: Exception | None = None
        self.open_attempted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tracking", daemon=True)
        if starts:
            self._thread.start()

    def await_opening(self, seconds: float) -> Exception | None:
        """Wait until it is known whether the run can be opened; return why it cannot, or None.

        After `seconds`, training proceeds without knowing, and an error that comes later is
        logged. With 0 seconds, an error that comes later is returned by a later call.
        """
        if not self._has_started:
            self._thread.start()
        if not self.open_attempted.wait(seconds) and seconds:
            self.open_attempted.set()
        return self.opening_error

    @property
    def _has_started(self) -> bool:
        return self._thread.ident is not None

    def close(self, seconds: float) -> int:
        """Wait up to `seconds`, not for a full disk; return the number of records left."""
        self._is_closing = True
        self._outbox.close()
        if self._is_full:
            self._stop.set()
        elif self._is_unreachable and seconds:
            log.info("Waiting up to %.0f s for tracking", seconds)
        if not self._has_started:
            if not seconds:
                self._outbox.release()
                return len(self._outbox)
            self._thread.start()
        try:
            self._thread.join(seconds)
        finally:
            self._stop.set()
        return len(self._outbox)

    def leave(self) -> None:
        """Send no more to a run that belongs to another process, which keeps its status."""
        self.close(0)
        self._is_settled.wait(RESTORE_SECONDS)

    def _run(self) -> None:
        while (record := self._outbox.first()) is not None and not self._stop.is_set():
            try:
                if not self._send(record):
                    self.open_attempted.set()
                    self._outbox.wait_closed()
                    break
            except Exception as error:
                # Once `close` has stopped waiting, the process is ending: an error may be due
                # to that, as when the exit deletes a temporary folder that is being uploaded.
                if self._stop.is_set():
                    break
                if record["kind"] in OPENING_KINDS or isinstance(error, LostRunError):
                    self._give_up(error)
                    break
                if not self._is_owned():
                    self._outbox.wait_closed()
                    break
                # One bad record must not hold up all others: it is put aside.
                self._put_aside(record, error)
            else:
                self._note_reachable()
            # Only now: a process that is killed before this line sends the record again.
            self._outbox.remove_first()
            if record["kind"] in OPENING_KINDS:
                self.open_attempted.set()
        self._outbox.release()

    def _send(self, record: OutboxRecord) -> bool:
        """Send one record, again and again while tracking is unreachable.

        Return False if `close` stopped waiting before the record was sent, or if the run
        belongs to another process now. If this process was suspended while it sent a status,
        that may have replaced its successor's, and is undone.
        """
        attempts = _retry_temporary(
            sleep=sleep_using_event(self._stop),
            before_sleep=partial(self._note_unreachable, record),
        )
        try:
            for attempt in attempts:
                if self._stop.is_set() or not self._is_owned():
                    return False
                with attempt:
                    if record["kind"] in STATUS_KINDS:
                        self._is_settled.clear()
                    self._writer.write(record)
            return True
        finally:
            if not self._is_settled.is_set() and not self._is_owned():
                self._restore()
            self._is_settled.set()

    def _restore(self) -> None:
        with contextlib.suppress(Exception):
            _retry_temporary(stop=stop_after_delay(RESTORE_SECONDS))(self._writer.restore)

    def _note_unreachable(self, record: OutboxRecord, state: RetryCallState) -> None:
        # The server may have received the record although its answer did not arrive.
        record["again"] = True
        error = state.outcome.exception() if state.outcome else None
        if not self._is_unreachable:
            path, reason = self._outbox.path, summarize_error(error)
            log.warning("Tracking cannot be reached; records are kept in %s (%s)", path, reason)
        self._is_unreachable = True
        self._is_full = is_disk_full(error)
        if self._is_full and self._is_closing:
            self._stop.set()
        self.open_attempted.set()

    def _note_reachable(self) -> None:
        if self._is_unreachable:
            log.info("Tracking is back; sending the records that were kept")
        self._is_unreachable = self._is_full = False

    def _give_up(self, error: Exception) -> None:
        """Stop sending, but keep the outbox open for what the run still logs."""
        self.run_error = error
        # Before that, `MlflowTracker.require_open` raises the error.
        if self.open_attempted.is_set():
            self.warn_of_refusal(error)
        else:
            self.opening_error = error
        self.open_attempted.set()
        self._outbox.wait_closed()

    def warn_of_refusal(self, error: Exception) -> None:
        """Log that tracking does not accept the run."""
        log.warning(
            "Tracking does not accept the run; its records are kept in %s (%s)",
            self._outbox.path,
            summarize_error(error),
        )

    def _put_aside(self, record: OutboxRecord, error: Exception) -> None:
        path = self._outbox.path.with_name(REFUSED_FILE)
        reason = summarize_error(error)
        if self.num_refused == 0:
            log.warning("Tracking refused a record, which was moved to %s (%s)", path, reason)
        self.num_refused += 1
        with contextlib.suppress(OSError):
            put_aside(self._outbox.path, reason, record)


def _retry_temporary(**options: Any) -> Retrying:
    """Return what tries again, less and less often, as long as tracking is unreachable."""
    wait = wait_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)
    return Retrying(retry=retry_if_exception(_is_temporary), wait=wait, reraise=True, **options)


def _is_temporary(error: BaseException) -> bool:
    """Return whether the same record may be accepted later.

    A file that is missing is an OSError too, but it does not come back.
    """
    return isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
