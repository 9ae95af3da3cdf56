"""framesweep export."""

import shutil

import pytest
import torch
from click.testing import CliRunner

from audio_model import write_model
from framesweep.commands.export import command
from framesweep.config.composition import CONFIG_FILE, dump, register
from framesweep.errors import CheckpointError
from framesweep.evaluation.predictor import Predictor

register()


@pytest.fixture
def run(tmp_path):
    """The directory of a run with a trained network."""
    directory = tmp_path / "run"
    config = write_model(directory / "model")
    (directory / CONFIG_FILE).write_text(dump(config))
    return directory


def export(run, *options):
    arguments = [str(run), "--outputs", str(run.parent), *options]
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_the_network_of_a_run_is_written_where_the_user_wants_it(run, tmp_path):
    path = tmp_path / "new" / "phones.pt"
    result = export(run, "--format", "torchscript", "--out", str(path))
    assert result.output.startswith(f"{path}: features (frames, 40) to log-posteriors of 4")
    features = torch.randn(9, 40)
    expected = Predictor.load(run / "model").log_posteriors(features.numpy())
    torch.testing.assert_close(torch.jit.load(str(path))(features), expected)


def test_the_file_has_the_suffix_of_its_format(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    export(run, "--format", "torchscript")
    assert (tmp_path / "model.pt").exists()


def test_a_damaged_network_is_named(run):
    (run / "model" / "predictor.json").unlink()
    with pytest.raises(CheckpointError, match=r"predictor\.json"):
        export(run, "--format", "torchscript")


def test_a_run_that_has_not_finished_is_finished_by_the_command_in_the_error(run):
    shutil.rmtree(run / "model")
    with pytest.raises(CheckpointError, match=r"resume=\S+ train\.max_minutes=0\.01$"):
        export(run, "--format", "torchscript")
