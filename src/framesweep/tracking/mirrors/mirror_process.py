"""The process of a mirror as training sees it: records go in, nothing waits for it.

Two threads serve the process. One writes the records to its standard input; if the process
does not read them, this thread waits, and training does not. The other logs what the process
has to say, and notices when it ends.
"""

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue

from framesweep.credentials import URI_VARIABLE
from framesweep.system.processes import own_group_options
from framesweep.tracking.mirrors.base import MirroredRun, MirrorRecord

log = logging.getLogger(__name__)

LAST_SECONDS = 5.0
"""How long the threads may take to notice that the process has ended."""


class MirrorProcess:
    """Shows a run in another tracker from a process of its own.

    No method raises, and none but `join` waits.

    Args:
        name: of the mirror, for the log.
        run: what it shows.
        command: starts the process; None for the mirror of this name.
    """

    def __init__(
        self, name: str, run: MirroredRun, command: Sequence[str] | None = None
    ) -> None:
        self._name = name
        self._is_closed = self._has_warned = False
        self._queue: SimpleQueue[MirrorRecord | None] = SimpleQueue()
        self._process: subprocess.Popen[bytes] | None = None
        # -P: a file json.py in the working directory must not take the place of Python's own.
        default = [sys.executable, "-P", "-m", "framesweep.tracking.mirrors", name]
        try:
            self._process = _start(command or default, run, name)
        except OSError as error:
            self._warn(str(error))
            return
        self._queue.put(asdict(run))
        self._reader = threading.Thread(target=self._read, name=f"{name} output", daemon=True)
        self._reader.start()
        self._feeder = threading.Thread(target=self._feed, name=f"{name} input", daemon=True)
        self._feeder.start()

    def send(self, record: MirrorRecord) -> None:
        """Queue a record."""
        if self._process is not None and not self._is_closed:
            self._queue.put(record)

    def close(self, status: str | None) -> None:
        """Announce that the run has ended; later calls do nothing."""
        self.send({"kind": "close", "status": status})
        self._is_closed = True
        self._queue.put(None)

    def join(self, seconds: float) -> None:
        """Wait up to `seconds` until the process has ended after `close`, then end it."""
        if self._process is None:
            return
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._warn(f"it did not end within {seconds:.0f} s")
            self.kill()
        for thread in (self._reader, self._feeder):
            thread.join(LAST_SECONDS)

    def kill(self) -> None:
        """End the process without a word to the tracker that it writes to, or to the log."""
        self._is_closed = self._has_warned = True
        self._queue.put(None)
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _feed(self) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        # An error means that the process has ended, which the other thread reports.
        with contextlib.suppress(OSError), self._process.stdin as pipe:
            while (record := self._queue.get()) is not None:
                pipe.write(json.dumps(record).encode() + b"\n")
                pipe.flush()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            for line in pipe:
                self._handle(line)
        code = self._process.wait()
        if not self._is_closed or code:
            self._warn(f"its process ended with exit code {code}")

    def _handle(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            if "failed" in message:
                self._warn(message["failed"])
            else:
                level = logging.getLevelNamesMapping()[message["level"].upper()]
                log.log(level, "%s: %s", self._name, message["text"])
        except (ValueError, KeyError, TypeError, AttributeError):
            self._warn(f"its process wrote {line[:80]!r}")

    def _warn(self, reason: str) -> None:
        """Log once that the mirror does not show the run any more."""
        if not self._has_warned:
            self._has_warned = True
            log.warning("%s does not show the run any more: %s", self._name, reason)


def _start(command: Sequence[str], run: MirroredRun, name: str) -> subprocess.Popen[bytes]:
    """Start the process; its standard error goes to a file next to what it remembers."""
    folder = Path(run.folder)
    folder.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ)
    # The tracking URI may contain a password, and no mirror needs it. A service of W&B that
    # this process may have started belongs to others.
    for variable in (URI_VARIABLE, "WANDB_SERVICE"):
        environment.pop(variable, None)
    with (folder / f"{name}.log").open("ab") as errors:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            # Ctrl-C ends the training, which then tells the mirror how it ended.
            **own_group_options(),
        )
