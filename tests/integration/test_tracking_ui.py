"""The MLflow UI of tracked runs, and runs whose server becomes unreachable."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from framesweep.config import TrackingConfig
from framesweep.tracking import (
    find_unsent_runs,
    load_metric_history,
    load_run,
    open_tracker,
    sync,
)

FRAMESWEEP = Path(sys.executable).with_name("framesweep")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Ui:
    """`framesweep ui` in a process, which is ready when the object has been created."""

    def __init__(self, outputs: Path, port: int) -> None:
        command = [str(FRAMESWEEP), "ui", "--outputs", str(outputs), "--port", str(port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        self.children = _descendants(self.process.pid)

    def stop(self, signum: int) -> int:
        """End the UI with a signal, and return its exit code."""
        self.process.send_signal(signum)
        return self.process.wait(60)


def _descendants(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        fields = entry.read_text().rpartition(")")[2].split()
        if int(fields[1]) == pid:
            child = int(entry.parent.name)
            found += [child, *_descendants(child)]
    return found


def _listening_addresses(port: int) -> set[str]:
    """Return the addresses, in hexadecimal, that the port is open on."""
    listening, found = "0A", set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            _, local, _, state = line.split()[:4]
            if state == listening and local.endswith(f":{port:04X}"):
                found.add(local.partition(":")[0])
    return found


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _get(url: str, **body: object) -> bytes:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


@pytest.mark.heavy
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_ui_shows_runs_and_artifacts_and_ends_all_its_processes(tracked_outputs, signum):
    directory = tracked_outputs / "runs" / "today" / "now"
    directory.mkdir(parents=True)
    (directory / "note.txt").write_text("hello")
    with open_tracker(TrackingConfig(), tracked_outputs, directory) as tracker:
        tracker.log_artifact(directory / "note.txt")
    port = free_port()
    ui = Ui(tracked_outputs, port)
    try:
        url = f"http://127.0.0.1:{port}"
        assert ui.line == f"MLflow UI: {url}/framesweep\n"
        assert b"/#/experiments/1/runs?" in _get(f"{url}/framesweep")
        assert _listening_addresses(port) == {"0100007F"}
        api = f"{url}/ajax-api/2.0/mlflow/experiments/search"
        found = json.loads(_get(api, max_results=10))["experiments"]
        tags = {e["name"]: e.get("tags", []) for e in found}["framesweep"]
        assert {"key": "mlflow.experimentKind", "value": "custom_model_development"} in tags
        artifact = f"{url}/get-artifact?path=note.txt&run_uuid={tracker.run_id}"
        assert _get(artifact) == b"hello"
    finally:
        assert ui.stop(signum) == 0
    assert ui.children
    assert [pid for pid in ui.children if _alive(pid)] == []


@pytest.mark.heavy
def test_a_run_survives_a_stopped_server_and_everything_arrives_once_in_order(
    tmp_path, monkeypatch
):
    """The server runs at first, is stopped in the middle, and runs again after the end."""
    monkeypatch.setattr("framesweep.tracking.mlflow_tracker.SERVER_SECONDS", 1.0)
    served, outputs = tmp_path / "served", tmp_path / "outputs"
    port = free_port()
    config = TrackingConfig(uri=f"http://127.0.0.1:{port}")
    directory = outputs / "runs" / "today" / "now"
    server = Ui(served, port)
    tracker = open_tracker(config, outputs, directory)
    run_id = tracker.run_id
    assert run_id is not None
    tracker.log_epoch(1, {"dev/loss": 1.0})
    server.stop(signal.SIGTERM)
    for epoch in (2, 3, 4):
        tracker.log_epoch(epoch, {"dev/loss": 1 / epoch})
    tracker.finish()
    assert find_unsent_runs(outputs) == [directory]
    server = Ui(served, port)
    try:
        sync(directory, outputs, 60)
        history = load_metric_history(run_id, "dev/loss", config.uri, outputs)
        assert history == {1: 1.0, 2: 0.5, 3: 1 / 3, 4: 0.25}
        assert load_run(run_id, config.uri, outputs).status == "FINISHED"
    finally:
        server.stop(signal.SIGTERM)
    assert find_unsent_runs(outputs) == []


@pytest.mark.heavy
def test_a_run_that_never_reached_its_server_is_sent_completely(tmp_path, monkeypatch):
    monkeypatch.setattr("framesweep.tracking.mlflow_tracker.SERVER_SECONDS", 1.0)
    served, outputs = tmp_path / "served", tmp_path / "outputs"
    port = free_port()
    config = TrackingConfig(uri=f"http://127.0.0.1:{port}", run_name="late")
    directory = outputs / "runs" / "today" / "now"
    with open_tracker(config, outputs, directory) as tracker:
        assert tracker.run_id is None
        tracker.log_params({"seed": 1})
        tracker.log_epoch(1, {"dev/loss": 1.0})
    server = Ui(served, port)
    try:
        sync(directory, outputs, 60)
        run = load_run(str(directory), config.uri, outputs)
        assert (run.name, run.status) == ("late", "FINISHED")
        assert (run.params, run.metrics) == ({"seed": "1"}, {"dev/loss": 1.0})
    finally:
        server.stop(signal.SIGTERM)
    assert (directory / "tracking" / "outbox.jsonl").read_bytes() == b""
