"""Audio files are found, labelled and written; what cannot be labelled is said."""

import logging
from typing import Any

import numpy as np
import pytest
import soundfile

from audio_model import RATE, make_tones, write_model
from framesweep.config.composition import register
from framesweep.data.formats.segment_writers import SUFFIX_OF_FORMAT
from framesweep.data.formats.segments import read_segments
from framesweep.errors import CheckpointError, ConfigError, DataError
from framesweep.evaluation.phone_chain import count_chain
from framesweep.evaluation.smoother_file import write_smoother
from framesweep.evaluation.viterbi import Smoother, Strength
from framesweep.runs import labelling
from framesweep.runs.labelling import (
    Input,
    find_inputs,
    label_files,
    load_labeller,
)

register()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The directory of a run."""
    directory = tmp_path_factory.mktemp("run")
    write_model(directory / "model")
    return directory


@pytest.fixture
def labeller(run):
    return load_labeller([run])


@pytest.fixture
def folder(tmp_path):
    """A folder with two recordings of different sample rates, one in a subfolder."""
    folder = tmp_path / "recordings"
    (folder / "day 1").mkdir(parents=True)
    soundfile.write(folder / "a.wav", make_tones(0.5), RATE)
    soundfile.write(folder / "day 1" / "b.flac", make_tones(0.7, 44_100), 44_100)
    (folder / "notes.txt").write_text("not audio")
    return folder


@pytest.mark.parametrize("normalize", ["speaker", "utterance"])
def test_a_line_says_that_other_recordings_of_a_speaker_are_unknown(
    normalize, tmp_path, caplog
):
    caplog.set_level(logging.INFO)
    write_model(tmp_path / "model", f"data.normalize={normalize}")
    load_labeller([tmp_path])
    lines = [
        line for line in caplog.messages if line.startswith("data.normalize=speaker: each")
    ]
    assert len(lines) == (normalize == "speaker")


def test_a_folder_stands_for_all_audio_in_it_and_a_file_for_itself(folder, tmp_path):
    odd = tmp_path / "odd.recording"
    odd.write_bytes((folder / "a.wav").read_bytes())
    assert find_inputs([folder, odd]) == [
        Input("a", folder / "a.wav"),
        Input("day 1/b", folder / "day 1" / "b.flac"),
        Input("odd", odd),
    ]
    # The same file twice is labelled once.
    assert len(find_inputs([folder, folder / "a.wav"])) == 2


def test_what_is_missing_empty_or_ambiguous_is_refused(folder, tmp_path):
    with pytest.raises(DataError, match=r"missing\.wav: must be an existing audio file or"):
        find_inputs([folder, tmp_path / "missing.wav"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: must contain audio files: \.wav"):
        find_inputs([tmp_path / "empty"])
    soundfile.write(tmp_path / "a.flac", make_tones(0.5), RATE)
    with pytest.raises(DataError, match=r"must have another name than .*a\.wav"):
        find_inputs([folder, tmp_path / "a.flac"])
    soundfile.write(folder / "a.flac", make_tones(0.5), RATE)
    with pytest.raises(DataError, match=r"must have another name than .*a\.flac"):
        find_inputs([folder])


@pytest.mark.parametrize("kind", list(SUFFIX_OF_FORMAT))
def test_labels_are_read_again_as_they_were_found(labeller, folder, tmp_path, kind):
    inputs = find_inputs([folder])
    summary = label_files(labeller, inputs, tmp_path / "out", kind)
    assert (summary.num_files, summary.failures) == (2, [])
    assert summary.seconds == pytest.approx(1.2, abs=1e-3)
    for item in inputs:
        path = tmp_path / "out" / f"{item.id}{SUFFIX_OF_FORMAT[kind]}"
        rate = soundfile.info(item.path).samplerate
        reader: Any = kind if kind in ("ctm", "csv") else "auto"
        found = read_segments(path, reader, "phones", rate)
        segments = labeller.label(item.path)
        assert found.phones == tuple(segment.phone for segment in segments)
        ends = [segment.end_s for segment in segments]
        np.testing.assert_allclose(found.ends, ends, atol=1.01e-4)
        assert (tmp_path / "out" / item.id).parent.is_dir()


def test_existing_labels_are_replaced_or_skipped_only_on_request(labeller, folder, tmp_path):
    inputs = find_inputs([folder])
    out = tmp_path / "out"
    (out / "day 1").mkdir(parents=True)
    (out / "day 1" / "b.lab").write_text("precious")
    with pytest.raises(ConfigError, match=r"b\.lab; found '1 of 2'\. Use --existing=skip"):
        label_files(labeller, inputs, out, "lab")
    assert not (out / "a.lab").exists()
    summary = label_files(labeller, inputs, out, "lab", "skip")
    assert (summary.num_files, summary.num_skipped) == (1, 1)
    assert (out / "day 1" / "b.lab").read_text() == "precious"
    assert label_files(labeller, inputs, out, "lab", "overwrite").num_files == 2
    assert (out / "day 1" / "b.lab").read_text() != "precious"


def test_one_bad_file_of_several_is_reported_and_the_others_are_labelled(
    labeller, folder, tmp_path, caplog
):
    (folder / "bad.wav").write_text("not audio")
    with caplog.at_level(logging.WARNING):
        summary = label_files(labeller, find_inputs([folder]), tmp_path / "out", "csv")
    assert summary.num_files == 2
    (failure,) = summary.failures
    assert "bad.wav: must be an audio file" in str(failure)
    assert "not labelled: " in caplog.text
    with pytest.raises(DataError, match=r"bad\.wav: must be an audio file"):
        label_files(labeller, find_inputs([folder / "bad.wav"]), tmp_path / "out", "csv")


def test_a_file_that_is_cut_off_is_labelled_up_to_there_with_a_warning(
    labeller, folder, tmp_path, caplog
):
    path = folder / "a.wav"
    path.write_bytes(path.read_bytes()[: 44 + 2 * RATE // 4])
    with caplog.at_level(logging.WARNING):
        summary = label_files(labeller, find_inputs([folder]), tmp_path / "out", "csv")
    assert (summary.num_files, summary.failures) == (2, [])
    assert caplog.messages == [
        f"{path}: its header promises 0.500 s, the file has 0.250 s; labelled up to there"
    ]


def test_a_run_on_files_of_features_is_refused_before_any_file_is_read(tmp_path, folder):
    write_model(tmp_path / "model", "data=hw1p2", "data.root=/nowhere")
    with pytest.raises(DataError, match="trained on files of features"):
        label_files(load_labeller([tmp_path]), find_inputs([folder]), tmp_path / "out", "csv")
    assert not (tmp_path / "out").exists()


def test_a_run_that_has_not_finished_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"must contain model/.*Resume the run"):
        load_labeller([tmp_path])


def test_a_run_without_a_stored_smoother_tunes_it_on_its_corpus(run, monkeypatch, tmp_path):
    chain = count_chain(np.repeat(np.arange(4), 200), np.array([800]), 4)
    smoother = Smoother(chain, Strength(4.0, 0.0))
    tuned = []

    def tune(runs):
        tuned.extend(runs)
        return smoother

    monkeypatch.setattr(labelling, "load_trained_run", lambda directory: directory)
    monkeypatch.setattr(labelling, "tune_for", tune)
    samples = make_tones(2)
    smoothed = load_labeller([run], smooth=True).label(samples, RATE)
    assert tuned == [run]
    assert len(smoothed) < len(load_labeller([run]).label(samples, RATE))
    write_model(tmp_path / "model")
    write_smoother(tmp_path / "model", smoother)
    assert load_labeller([tmp_path], smooth=True).label(samples, RATE) == smoothed
    assert tuned == [run]


def test_a_plot_shows_one_file_whatever_backend_a_notebook_asks_for(
    labeller, folder, tmp_path, monkeypatch
):
    monkeypatch.setenv("MPLBACKEND", "module://absent.backend")
    plot = tmp_path / "plots" / "a.png"
    inputs = find_inputs([folder / "a.wav"])
    label_files(labeller, inputs, tmp_path / "out", "csv", plot=plot)
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out" / "a.csv").exists()
