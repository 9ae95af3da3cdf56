"""MLflow's UI for the runs of an outputs folder, as a child process."""

import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import IO, Any

from framesweep.config.paths import sqlite_path
from framesweep.credentials import scrub
from framesweep.errors import TrackingError
from framesweep.system.processes import end_group, own_group_options
from framesweep.tracking import mlflow_store, tracked_runs
from framesweep.tracking.mlflow_import import ENVIRONMENT_DEFAULTS
from framesweep.tracking.ui_app import VIEW_PATH, VIEW_VARIABLE
from framesweep.tracking.ui_view import (
    MAX_RUNS,
    Row,
    build_experiment_path,
    choose_columns,
    find_latest_parent,
)
from hydra_plugins.framesweep_sweeper.workers import handled_by

START_SECONDS, STOP_SECONDS = 120.0, 2.0
"""How long the server may take to start, and to stop before it is killed."""

PORT_ERRORS = (errno.EADDRINUSE, errno.EACCES, getattr(errno, "WSAEACCES", errno.EACCES))
"""Errors that are due to the port rather than to the address."""

APP = "framesweep"
"""Name by which MLflow's server finds the application in `ui_app`."""


def build_ui_command(host: str, port: int) -> list[str]:
    """Return the command that starts the UI's server; its environment says where runs are."""
    options = ["--host", host, "--port", str(port), "--workers", "1", "--app-name", APP]
    return [sys.executable, "-m", "mlflow", "server", *options]


def write_entry_point(folder: Path) -> None:
    """Write metadata that makes `ui_app` an application of MLflow's server, in `folder`.

    MLflow looks applications up among the entry points of what is installed. A distribution of
    its own, on the path of the server's process only, also works in a checkout that was
    installed before the entry point existed.
    """
    metadata = folder / "framesweep_ui-1.dist-info"
    metadata.mkdir()
    entry = f"[mlflow.app]\n{APP} = framesweep.tracking.ui_app:app\n"
    (metadata / "entry_points.txt").write_text(entry, encoding="utf-8")
    names = "Metadata-Version: 2.1\nName: framesweep-ui\nVersion: 1\n"
    (metadata / "METADATA").write_text(names, encoding="utf-8")


def build_ui_environment(
    uri: str, outputs: Path, folder: Path, view: Mapping[str, Any]
) -> dict[str, str]:
    """Return the environment of the UI's server.

    The URI is passed here rather than as an argument, because every user of the machine can
    read the arguments of a process, and the URI may contain a password.

    Args:
        folder: The folder with the entry point.
        view: The experiment to open and its columns.
    """
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        **ENVIRONMENT_DEFAULTS,
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": mlflow_store.get_artifact_root(outputs),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_LOGGING_LEVEL": "ERROR",
        "PYTHONPATH": os.pathsep.join(paths),
        VIEW_VARIABLE: json.dumps(view),
    }


def load_view(experiment_id: str, uri: str | None, outputs: Path) -> dict[str, Any]:
    """Return the view of an experiment: its link, its columns, and the sweep to expand.

    Raises:
        TrackingError: tracking cannot be reached.
    """
    with tracked_runs.connect(uri, outputs) as client:
        order = ["attributes.start_time DESC"]
        found = client.search_runs([experiment_id], max_results=MAX_RUNS, order_by=order)
        rows = [
            Row(run.info.run_id, run.data.metrics, run.data.params, run.data.tags)
            for run in found
        ]
    return {
        "experiment": experiment_id,
        "link": build_experiment_path(experiment_id),
        "columns": choose_columns(rows),
        "expanded": dict.fromkeys(find_latest_parent(rows), True),
    }


def serve_ui(
    uri: str | None, outputs: Path, host: str, port: int, on_ready: Callable[[str], None]
) -> None:
    """Run the UI until SIGINT, SIGTERM or SIGHUP, and then end it with all its children.

    Args:
        uri: `tracking.uri`; None for SQLite in `outputs`, which is created if necessary. An
            MLflow server has a UI of its own, so nothing is started for one.
        on_ready: is called with the URL of the latest experiment once the UI answers, or with
            the server's URL.

    Raises:
        TrackingError: the port is taken, or the UI does not start.
    """
    full_uri = mlflow_store.resolve_tracking_uri(uri, outputs)
    if mlflow_store.is_server(full_uri):
        on_ready(scrub(full_uri))
        return
    _require_free_port(host, port)
    view = _load_latest_view(full_uri, outputs)
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output,
        tempfile.TemporaryDirectory(prefix="framesweep-ui-") as folder,
        _signals_as_interrupts(),
    ):
        write_entry_point(Path(folder))
        environment = build_ui_environment(full_uri, outputs, Path(folder), view)
        server = _start_server(environment, host, port, output)
        try:
            url = f"http://{host}:{port}"
            if not _wait_until_up(server, url):
                raise TrackingError("framesweep ui", f"must start ({_last_line(output)})")
            on_ready(url + (VIEW_PATH if view else build_experiment_path(None)))
            server.wait()
        except KeyboardInterrupt:
            pass
        finally:
            end_group(server, STOP_SECONDS)


def _load_latest_view(uri: str, outputs: Path) -> dict[str, Any]:
    """Return the view of the latest experiment, {} without one; create a missing database."""
    path = sqlite_path(uri)
    if path is not None and not path.exists():
        mlflow_store.connect(uri, outputs)
    experiment = tracked_runs.find_latest_experiment(uri, outputs)
    return {} if experiment is None else load_view(experiment, uri, outputs)


def _start_server(
    environment: dict[str, str], host: str, port: int, output: IO[str]
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        build_ui_command(host, port),
        env=environment,
        stdout=output,
        stderr=subprocess.STDOUT,
        # The server starts workers. In a session of their own they form one process group,
        # which can be ended as a whole, and Ctrl-C does not reach them before that.
        **own_group_options(),
    )


def _require_free_port(host: str, port: int) -> None:
    """Raise TrackingError if the port is taken, or if this machine has no such address.

    The server itself would only log it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # The server sets this option too: a port that was closed a moment ago counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno not in PORT_ERRORS:
                rule = f"must be an address of this machine ({error.strerror})"
                raise TrackingError("--host", rule, found=host) from None
            raise TrackingError(
                "--port",
                f"must be free on {host} ({error.strerror})",
                found=port,
                fix=f"Try --port {port + 1}.",
            ) from None


def _wait_until_up(server: "subprocess.Popen[bytes]", url: str) -> bool:
    """Return whether the server answers, after waiting for it while it is alive."""
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
    return scrub(lines[-1]) if lines else "it printed nothing"


@contextlib.contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """Make SIGTERM, SIGHUP and Windows's SIGBREAK raise KeyboardInterrupt, as Ctrl-C does."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    names = ("SIGTERM", "SIGHUP", "SIGBREAK")
    signals = [getattr(signal, name) for name in names if hasattr(signal, name)]
    with handled_by(stop, signals):
        yield
