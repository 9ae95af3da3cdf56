"""framesweep ui."""

import pytest
from click.testing import CliRunner

from framesweep import tracking
from framesweep.commands.ui import command


@pytest.mark.parametrize("port", ["0", "-1", "70000"])
def test_a_port_out_of_range_is_refused(port):
    result = CliRunner().invoke(command, ["--port", port])
    assert result.exit_code == 2
    assert "1<=x<=65535" in result.output


def test_the_address_is_printed_once_the_server_is_ready(monkeypatch, tmp_path):
    def serve(uri, outputs, host, port, on_ready):
        assert (uri, outputs, host) == (None, tmp_path, "127.0.0.1")
        on_ready(f"http://{host}:{port}")

    monkeypatch.setattr(tracking, "serve_ui", serve)
    result = CliRunner().invoke(command, ["--port", "5001", "--outputs", str(tmp_path)])
    assert result.output == "MLflow UI: http://127.0.0.1:5001\n"
