"""framesweep label as typed: what cannot be labelled is said in one line, with exit code 2."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_model import RATE, make_tones, write_model
from framesweep.cli import main
from framesweep.config.composition import register

register()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with a run on audio, one on features, and recordings."""
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "run" / "model")
    write_model(tmp_path / "featured" / "model", "data=hw1p2", "data.root=/nowhere")
    for run in ("run", "featured"):
        (tmp_path / run / "config.yaml").touch()
    samples = make_tones(0.5)
    soundfile.write("good.wav", samples, RATE)
    samples[800] = np.nan
    soundfile.write("nan.wav", samples, RATE, subtype="FLOAT")
    soundfile.write("short.wav", make_tones(0.01), RATE)
    soundfile.write("silent.wav", np.zeros(0), RATE)
    Path("text.wav").write_text("not audio")
    Path("empty").mkdir()
    return tmp_path


def call(monkeypatch, capsys, *arguments):
    """The exit code, and the lines of the standard error."""
    monkeypatch.setattr(sys, "argv", ["framesweep", "label", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "text.wav"), "text.wav: must be an audio file that libsndfile can read"),
        (("run", "missing.wav"), "missing.wav: must be an existing audio file or folder"),
        (("run", "empty"), "empty: must contain audio files: .wav"),
        (("run", "nan.wav"), "nan.wav: samples must be finite; found 'nan at 0.050 s'"),
        (("run", "short.wav"), "short.wav: must be at least as long as one analysis window"),
        (("run", "silent.wav"), "silent.wav: must contain at least one sample"),
        (("featured", "good.wav"), "audio: cannot be labelled by a run that was trained on"),
        (("run", "featured", "good.wav"), "ensemble: must be of runs with the same phones"),
        (("run", "good.wav", "--smooth"), "smoother.safetensors, or else its corpus must be"),
    ],
)
def test_what_cannot_be_labelled_is_said_in_one_line(
    place, monkeypatch, capsys, arguments, message
):
    code, lines = call(monkeypatch, capsys, *arguments)
    assert code == 2
    assert message in lines[-1]
    assert lines[-1].startswith("error: ")
    assert not any("Traceback" in line for line in lines)
    assert not (place / "labels").exists()


def test_a_folder_with_some_bad_files_is_labelled_otherwise(place, monkeypatch, capsys):
    code, lines = call(monkeypatch, capsys, "run", ".", "--out", "out", "--format", "csv")
    assert code == 2
    assert lines[-1].startswith("error: 4 of 5 files: must be audio that can be labelled")
    assert [path.name for path in (place / "out").iterdir()] == ["good.csv"]
