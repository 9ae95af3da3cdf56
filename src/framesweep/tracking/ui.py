"""MLflow's UI over the runs of an outputs folder."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO

from framesweep.credentials import scrub
from framesweep.errors import TrackingError
from framesweep.tracking import mlflow_store
from framesweep.tracking.tracked_runs import find_latest_experiment
from framesweep.tracking.ui_view import build_experiment_link

START_SECONDS, STOP_SECONDS = 120.0, 2.0


def build_ui_command(host: str, port: int) -> list[str]:
    """The command of the UI's server; where runs are kept comes by its environment."""
    options = ["--host", host, "--port", str(port), "--workers", "1"]
    return [sys.executable, "-m", "mlflow", "server", *options]


def build_ui_environment(uri: str, outputs: Path) -> dict[str, str]:
    """Variables for the UI's server: a URI's password is not for the list of processes."""
    return {
        **os.environ,
        **mlflow_store.ENVIRONMENT_DEFAULTS,
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": mlflow_store.get_artifact_root(outputs),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_LOGGING_LEVEL": "ERROR",
    }


def serve_ui(
    uri: str | None, outputs: Path, host: str, port: int, on_ready: Callable[[str], None]
) -> None:
    """Runs the UI until SIGINT or SIGTERM, and ends it with all its children.

    Args:
        uri: `tracking.uri`; None for SQLite in `outputs`, made where it is not there yet.
        on_ready: is given the URL of the latest experiment's runs once the UI answers, or a
            server's own.

    Raises:
        TrackingError: the port is taken, or the server does not come up.
    """
    full = mlflow_store.resolve_tracking_uri(uri, outputs)
    if mlflow_store.is_server(full):
        on_ready(scrub(full))
        return
    _check_port(host, port)
    path = mlflow_store.get_sqlite_path(full)
    if path is not None and not path.exists():
        mlflow_store.connect(full, outputs)
    experiment = find_latest_experiment(full, outputs)
    with tempfile.TemporaryFile("w+") as output, _stoppable():
        server = subprocess.Popen(
            build_ui_command(host, port),
            env=build_ui_environment(full, outputs),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            url = f"http://{host}:{port}"
            if not _wait_until_up(server, url):
                raise TrackingError("framesweep ui", f"must start ({_last_line(output)})")
            on_ready(url + build_experiment_link(experiment))
            server.wait()
        except KeyboardInterrupt:
            pass
        finally:
            _end_group(server)


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise TrackingError(
                "--port",
                f"must be free on {host} ({error.strerror})",
                found=port,
                fix=f"Try --port {port + 1}.",
            ) from None


def _wait_until_up(server: "subprocess.Popen[bytes]", url: str) -> bool:
    end = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False


def _last_line(output: IO[str]) -> str:
    output.seek(0)
    lines = output.read().strip().splitlines()
    return scrub(lines[-1]) if lines else "it said nothing"


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Makes SIGTERM and SIGHUP end what is inside as Ctrl-C does."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {signum: signal.signal(signum, stop) for signum in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _end_group(server: "subprocess.Popen[bytes]") -> None:
    """Ends the server and all that it started: asked first, forced after STOP_SECONDS."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signum)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(STOP_SECONDS)
