"""The process of a mirror shows its records, and says in one line why it ends."""

import io
import json
from typing import Any

import pytest

from framesweep.tracking.mirrors.base import MirroredRun, MirrorRecord, Notify
from framesweep.tracking.mirrors.child import serve

RUN = {
    "directory": "/run",
    "folder": "/run/tracking/mirrors",
    "experiment": "e",
    "name": "n",
    "group": None,
    "role": "run",
    "system_metrics": False,
}
METRICS = {"kind": "metrics", "step": 1, "metrics": {"dev/loss": 1.0}, "time": 2.0}


class FakeMirror:
    """Records its calls; raises what it is given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[Any] = []
        self._error = error

    def open(self, run: MirroredRun, notify: Notify) -> "FakeMirror":
        self.calls.append(run.directory)
        notify("info", "see https://me:hunter2@host/run")
        return self

    def write(self, record: MirrorRecord) -> None:
        if self._error is not None:
            raise self._error
        self.calls.append(record)

    def close(self, status: str | None) -> None:
        self.calls.append(("close", status))


def served(mirror: FakeMirror, *records: Any) -> tuple[int, list[dict[str, str]]]:
    lines = [json.dumps(record).encode() for record in (RUN, *records)]
    output = io.StringIO()
    code = serve(lines, mirror.open, output)
    return code, [json.loads(line) for line in output.getvalue().splitlines()]


def test_records_are_shown_until_the_run_is_closed() -> None:
    mirror = FakeMirror()
    code, messages = served(mirror, METRICS, {"kind": "close", "status": "FINISHED"}, METRICS)
    assert code == 0
    assert mirror.calls == ["/run", METRICS, ("close", "FINISHED")]
    assert messages == [{"level": "info", "text": "see https://***@host/run"}]


def test_the_run_of_a_process_that_was_killed_has_no_status() -> None:
    mirror = FakeMirror()
    assert served(mirror, METRICS)[0] == 0
    assert mirror.calls[-1] == ("close", None)


@pytest.mark.parametrize(
    "error", [ValueError("bad\nsecond line"), OSError("http://u:hunter2@h is down")]
)
def test_an_error_is_one_line_without_credentials(error: Exception) -> None:
    code, messages = served(FakeMirror(error), METRICS)
    assert code == 1
    failed = messages[-1]["failed"]
    assert failed.startswith(type(error).__name__)
    assert "\n" not in failed
    assert "hunter2" not in failed
