"""How the UI's server is started; its pages are tested in tests/integration and tests/e2e."""

import os
import signal
import socket
import sys
from importlib import metadata

import pytest

from framesweep.config import TrackingConfig
from framesweep.errors import TrackingError
from framesweep.tracking import open_tracker, serve_ui, ui

SECRET_URI = "postgresql://ann:s3cret@host/mlflow"


def test_the_uri_is_passed_by_the_environment_and_not_in_the_command(tmp_path):
    environment = ui.build_ui_environment(SECRET_URI, tmp_path, tmp_path, {})
    assert environment["MLFLOW_BACKEND_STORE_URI"] == SECRET_URI
    assert not any("s3cret" in argument for argument in ui.build_ui_command("127.0.0.1", 5000))


def test_the_server_finds_the_application_beside_the_users_own_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/mine")
    ui.write_entry_point(tmp_path)
    path = ui.build_ui_environment("sqlite://", tmp_path, tmp_path, {})["PYTHONPATH"]
    assert path == f"{tmp_path}{os.pathsep}/mine"
    (found,) = metadata.distributions(name="framesweep-ui", path=[str(tmp_path)])
    (entry,) = found.entry_points
    assert (entry.group, entry.name) == ("mlflow.app", ui.APP)
    assert ui.APP in ui.build_ui_command("127.0.0.1", 5000)


def test_a_port_that_is_in_use_is_an_error(tracked_outputs):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TrackingError, match=rf"--port: must be free .*--port {port + 1}"):
            serve_ui(None, tracked_outputs, "127.0.0.1", port, print)


@pytest.mark.parametrize("host", ["nosuch.invalid", "192.0.2.1", "::2"])
def test_an_address_of_another_machine_is_not_blamed_on_the_port(tracked_outputs, host):
    with pytest.raises(TrackingError, match=r"--host: must be an address of this machine \("):
        serve_ui(None, tracked_outputs, host, 5000, print)


def test_the_ui_of_a_server_is_its_own(tmp_path):
    seen: list[str] = []
    serve_ui("http://ann:s3cret@host:5000", tmp_path, "127.0.0.1", 5000, seen.append)
    assert seen == ["http://***@host:5000"]


def test_a_ui_that_does_not_start_is_an_error_with_its_last_line(tracked_outputs, monkeypatch):
    failing = [sys.executable, "-c", "print('first'); print('http://a:b@host is broken')"]
    monkeypatch.setattr(ui, "build_ui_command", lambda host, port: failing)
    with pytest.raises(TrackingError, match=r"must start \(http://\*\*\*@host is broken\)"):
        serve_ui(None, tracked_outputs, "127.0.0.1", 0, print)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_interrupt_like_ctrl_c_and_are_restored(signum):
    before = signal.getsignal(signum)
    with pytest.raises(KeyboardInterrupt), ui._signals_as_interrupts():
        os.kill(os.getpid(), signum)
    assert signal.getsignal(signum) == before


def test_the_ui_outlives_its_terminal_after_nohup():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ui._signals_as_interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_view_is_read_from_the_runs_of_the_experiment(tracked_outputs):
    folder = tracked_outputs / "sweeps" / "s"
    with open_tracker(TrackingConfig(), tracked_outputs, folder, tags={"sweep": "x"}) as parent:
        parent.log_epoch(1, {"best/accuracy": 0.5})
    view = ui.load_view("1", None, tracked_outputs)
    assert view["link"].startswith("/#/experiments/1/runs?")
    assert view["columns"][0] == "metrics.`best/accuracy`"
    assert view["expanded"] == {parent.run_id: True}
