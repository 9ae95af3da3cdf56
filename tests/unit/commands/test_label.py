"""framesweep label."""

from pathlib import Path

import click
import pytest
import soundfile
from click.testing import CliRunner

from audio_model import RATE, make_tones, write_model
from framesweep.commands.label import command, split_arguments
from framesweep.config.composition import register
from framesweep.errors import ConfigError, DataError

register()


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The directory of a run, in the working directory, with three recordings in `rec`."""
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "run" / "model")
    Path("run/config.yaml").touch()
    Path("rec").mkdir()
    for name in "abc":
        soundfile.write(f"rec/{name}.wav", make_tones(0.3), RATE)
    return "run"


def invoke(*arguments):
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_a_file_and_a_folder_are_labelled(run):
    first = invoke(run, "rec/a.wav", "--format", "lab")
    assert first.exit_code == 0
    assert first.output.startswith("1 of 1 files labelled in labels: ")
    assert Path("labels/a.lab").read_text().startswith("0 ")
    second = invoke(run, run, "rec", "--format=lab", "--existing=skip")
    assert second.output.startswith("2 of 3 files labelled in labels: ")
    assert "1 existed and were skipped" in second.output
    assert sorted(path.name for path in Path("labels").iterdir()) == ["a.lab", "b.lab", "c.lab"]


def test_a_plot_is_drawn_of_one_file_only(run):
    with pytest.raises(ConfigError, match=r"^--plot: must be used with one audio file; found"):
        invoke(run, "rec", "--plot", "a.png")
    assert not Path("labels").exists()
    assert invoke(run, "rec/a.wav", "--plot", "a.png").output.endswith("a.png\n")
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


def test_a_plot_replaces_neither_a_recording_nor_an_earlier_plot(run):
    recording = Path("rec/a.wav").read_bytes()
    with pytest.raises(ConfigError, match=r"^--plot: must end with \.png; found 'rec/a\.wav'$"):
        invoke(run, "rec/a.wav", "--plot", "rec/a.wav")
    assert Path("rec/a.wav").read_bytes() == recording
    Path("a.png").touch()
    with pytest.raises(ConfigError, match=r"^--plot: must not exist; found .a\.png"):
        invoke(run, "rec/a.wav", "--plot", "a.png")
    assert not Path("labels").exists()
    invoke(run, "rec/a.wav", "--plot", "a.png", "--existing", "overwrite")
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


def test_files_that_failed_make_the_command_fail(run):
    Path("rec/bad.wav").write_text("not audio")
    with pytest.raises(DataError, match=r"^1 of 4 files: .*; the first: rec/bad\.wav: must be"):
        invoke(run, "rec")
    assert len(list(Path("labels").iterdir())) == 3


@pytest.mark.parametrize(
    ("arguments", "runs", "audio"),
    [
        (["r1", "a.wav"], 1, 1),
        (["r1", "missing"], 1, 1),
        (["r1", "r2", "last", "a.wav", "b"], 3, 2),
        (["r1", "run", "rec", "a.wav"], 2, 2),
        (["r1", "some/where", "a.wav"], 1, 2),
    ],
)
def test_audio_starts_where_an_argument_is_or_looks_like_a_path(run, arguments, runs, audio):
    assert tuple(map(len, split_arguments(tuple(arguments)))) == (runs, audio)


def test_a_run_without_audio_is_a_usage_error():
    with pytest.raises(click.UsageError, match="one RUN_ID and one FILE_OR_FOLDER"):
        split_arguments(("r1",))
