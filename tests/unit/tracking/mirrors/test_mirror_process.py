"""A mirror that fails, crashes, babbles or hangs is one warning, and nothing waits for it."""

import json
import logging
import sys
from pathlib import Path

import pytest

from framesweep.credentials import URI_VARIABLE
from framesweep.tracking.mirrors.base import MirroredRun
from framesweep.tracking.mirrors.mirror_process import MirrorProcess

METRICS = {"kind": "metrics", "step": 1, "metrics": {"dev/loss": 1.0}, "time": 2.0}
LONG = 60.0
"""Seconds within which even a busy machine runs a few lines of Python."""


def run_in(folder: Path) -> MirroredRun:
    return MirroredRun(str(folder), str(folder / "mirrors"), "e", "n", None, "run", False)


def start(folder: Path, code: str) -> MirrorProcess:
    """A mirror whose process runs `code`, without the site packages."""
    return MirrorProcess("fake", run_in(folder), [sys.executable, "-I", "-S", "-c", code])


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_the_process_receives_the_run_and_its_records(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setenv(URI_VARIABLE, "postgresql://me:hunter2@host/db")
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    code = f"""if True:
        import json, os, sys
        assert {URI_VARIABLE!r} not in os.environ
        open(os.environ["SEEN"], "w").writelines(sys.stdin.readlines())
        print(json.dumps({{"level": "info", "text": "seen"}}))
        """
    mirror = start(tmp_path, code)
    mirror.send(METRICS)
    mirror.close("FINISHED")
    mirror.send(METRICS)
    mirror.join(LONG)
    run, *records = map(json.loads, (tmp_path / "seen").read_text().splitlines())
    assert run["directory"] == str(tmp_path)
    assert records == [METRICS, {"kind": "close", "status": "FINISHED"}]
    assert caplog.messages == ["fake: seen"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ('print(\'{"failed": "it is full"}\'); raise SystemExit(1)', "it is full"),
        ("import os; os._exit(7)", "its process ended with exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "exit code -9"),
        ("pass", "its process ended with exit code 0"),
        ("print('hello')", "its process wrote b'hello"),
    ],
)
def test_a_process_that_ends_by_itself_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, code: str, reason: str
) -> None:
    mirror = start(tmp_path, code)
    # Nothing is sent and the run is not closed before the process has ended.
    assert mirror._process is not None
    mirror._reader.join(LONG)
    for _ in range(100):
        mirror.send(METRICS)
    mirror.close("FINISHED")
    mirror.join(LONG)
    (warning,) = warnings(caplog)
    assert warning.startswith("fake does not show the run any more: ")
    assert reason in warning


def test_a_process_that_hangs_is_ended_and_takes_nothing_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mirror = start(tmp_path, "import signal\nwhile True: signal.pause()")
    # More than a pipe holds: the thread that writes waits, and this one does not.
    large = {"kind": "params", "params": {"x": "y" * 1_000_000}}
    for _ in range(3):
        mirror.send(large)
    mirror.close("FINISHED")
    mirror.join(0.01)
    assert mirror._process is not None
    assert mirror._process.returncode == -9
    assert warnings(caplog) == [
        "fake does not show the run any more: it did not end within 0 s"
    ]


def test_a_process_that_cannot_be_started_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mirror = MirrorProcess("fake", run_in(tmp_path), [str(tmp_path / "none")])
    mirror.send(METRICS)
    mirror.close("FINISHED")
    mirror.join(LONG)
    mirror.kill()
    (warning,) = warnings(caplog)
    assert "No such file" in warning


def test_a_process_is_ended_silently_when_the_run_belongs_to_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mirror = start(tmp_path, "import signal\nwhile True: signal.pause()")
    mirror.kill()
    mirror.join(LONG)
    assert mirror._process is not None
    assert mirror._process.returncode == -9
    assert warnings(caplog) == []
