"""What the commands refuse before any work."""

import pytest
from click.testing import CliRunner

from framesweep.commands import inspect, predict, ui
from framesweep.config.composition import register

register()


@pytest.mark.parametrize("port", ["0", "-1", "70000"])
def test_a_port_is_one(port):
    result = CliRunner().invoke(ui.command, ["--port", port])
    assert result.exit_code == 2
    assert "1<=x<=65535" in result.output


def test_predictions_go_into_a_file(tmp_path):
    result = CliRunner().invoke(predict.command, ["x", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "is a directory" in result.output


@pytest.mark.parametrize("override", ["data.max_utterances=-5", "data.context=-1"])
def test_inspect_checks_what_train_checks(override):
    result = CliRunner().invoke(inspect.command, ["data=demo", override])
    assert str(result.exception).startswith(override.partition("=")[0])
