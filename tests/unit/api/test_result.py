"""Trained runs in Python."""

import logging
from collections.abc import Callable

import numpy as np
import pytest
import torch

from audio_model import NAMES, make_tones, write_model
from framesweep.api.result import Result, load
from framesweep.api.training import train
from framesweep.config.composition import register
from framesweep.errors import CheckpointError, DataError, FramesweepError, TrackingError
from framesweep.runs.reporting.history import History, write_history

register()

EPOCHS = [
    {"train/loss": 2.0, "dev/accuracy": 0.25},
    {"train/loss": 1.5, "dev/accuracy": 0.5, "dev/smoothed_accuracy": 0.625},
    {"train/loss": 1.0, "dev/accuracy": 0.375},
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("outputs") / "runs" / "2026-11-28" / "12-00-00-abc"
    config = write_model(path / "model")
    (path / "config.yaml").write_text((path / "model" / "config.yaml").read_text())
    (path / "report").mkdir()
    write_history(path, History(EPOCHS, best_epoch=2))
    assert config.data.context == 2
    return path


def test_metrics_are_those_of_the_best_epoch(directory):
    result = Result(directory)
    assert result.metrics["dev/accuracy"] == 0.5
    assert result.best_epoch == 2
    assert repr(result) == "Result(12-00-00-abc, dev/accuracy 0.5000 in epoch 2)"


def test_the_history_has_a_row_per_epoch(directory):
    history = Result(directory).history
    assert history.index.tolist() == [1, 2, 3]
    assert history.loc[2, "train/loss"] == 1.5
    assert history["dev/smoothed_accuracy"].isna().tolist() == [True, False, True]


def test_a_run_that_is_not_tracked_has_no_id(directory):
    assert Result(directory).run_id is None
    assert Result(directory).config.data.context == 2


def test_features_are_mapped_to_the_names_of_phones(directory):
    result = Result(directory)
    features = np.random.default_rng(0).normal(size=(30, 40))
    posteriors = result.posteriors(features)
    assert posteriors.shape == (30, len(NAMES))
    assert np.allclose(posteriors.sum(axis=1), 1, atol=1e-5)
    names = result.predict(features.tolist())
    assert names.tolist() == [NAMES[i] for i in posteriors.argmax(axis=1)]
    with pytest.raises(DataError, match="must have 40 features per frame; found 13"):
        result.predict(features[:, :13])


def test_a_recording_is_mapped_to_phones_with_times(directory):
    segments = Result(directory).label(make_tones(1.0), 16_000)
    assert segments[0].start_s == 0
    assert segments[-1].end_s == 1
    assert {segment.phone for segment in segments} <= set(NAMES)


def test_a_run_without_a_network_says_how_to_get_one(tmp_path):
    call = rf'fs.train\(\["resume={tmp_path}", "train.max_minutes=0.01"\]\)$'
    with pytest.raises(CheckpointError, match=call):
        Result(tmp_path).predict(np.zeros((3, 40)))
    with pytest.raises(CheckpointError, match="must contain a checkpoint or a report"):
        _ = Result(tmp_path).metrics


def test_a_run_whose_folder_is_gone_says_so(tmp_path, monkeypatch):
    import framesweep.runs.run  # noqa: F401 - it must not import what is replaced

    directory = tmp_path / "12-00-00-abc"
    # MLflow still knows where it was.
    monkeypatch.setattr("framesweep.api.result.find_run_directory", lambda *_: directory)
    monkeypatch.setattr("framesweep.tracking.find_run_directory", lambda *_: directory)
    gone = rf"^{directory}: must exist; the folder of this run is gone$"
    result = Result(directory)
    uses: tuple[Callable[[], object], ...] = (
        lambda: result.config,
        lambda: result.history,
        lambda: result.metrics,
        lambda: result.predict(np.zeros((3, 40))),
        lambda: load("abc"),
        lambda: train(["resume=abc"]),
    )
    for use in uses:
        with pytest.raises(CheckpointError, match=gone):
            use()
    assert "gone" in repr(result)
    directory.mkdir()
    assert repr(result) == f"Result({directory.name}, no epoch finished)"
    with pytest.raises(CheckpointError, match=r"config\.yaml: must exist"):
        _ = result.config


def test_a_run_is_loaded_by_its_directory_or_its_name(directory):
    assert load(directory).directory == directory
    outputs = directory.parents[2]
    assert load("last", outputs=outputs).directory == directory
    assert load(directory.name, outputs=outputs).directory == directory


def test_a_run_that_does_not_exist_is_one_line(directory):
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    with pytest.raises(TrackingError, match="must"):
        load("no_such_run", outputs=directory.parents[2])


@pytest.mark.parametrize(
    ("utterance", "rate", "line"),
    [
        (".", None, r"^\.: must be an audio file, not a folder$"),
        (np.zeros(16_000), "16k", r"^sample_rate: must be a whole number of Hz; found '16k'$"),
        (
            np.zeros(16_000),
            float("nan"),
            r"^sample_rate: must be a whole number of Hz; found nan$",
        ),
        (np.zeros((2, 16_000)), 16_000, r"found \(2, 16000\)\. Transpose the array"),
        (np.zeros((40, 99)), None, r"40 features per frame; found 99\. Transpose the array"),
        ([np.zeros((9, 40)), np.zeros((8, 40))], None, r"Call it once for each utterance\.$"),
    ],
)
def test_an_utterance_that_is_none_is_one_line(directory, utterance, rate, line):
    with pytest.raises(DataError, match=line):
        Result(directory).label(utterance, rate)


@pytest.mark.parametrize("method", [Result.predict, Result.posteriors])
def test_a_recording_in_place_of_features_names_the_method_for_it(directory, method):
    line = r"must be an array of shape \(T, D\); found 'mine\.wav'\. Call label for a recording"
    with pytest.raises(DataError, match=line):
        method(Result(directory), "mine.wav")


def test_a_tensor_is_an_utterance(directory):
    result, tones = Result(directory), make_tones(1.0)
    features = torch.zeros(9, 40, requires_grad=True)
    expected = result.predict(np.zeros((9, 40))).tolist()
    assert result.predict(features).tolist() == expected
    assert result.predict(features.bfloat16()).tolist() == expected
    integers = (tones * 1000).astype(np.int16)
    assert result.label(torch.tensor(integers), 16_000) == result.label(integers, 16_000)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"outputs": 5}, r"^outputs: must be the path of a folder; found 5$"),
        ({"outputs": "nope"}, r"^outputs: must be an existing folder; found 'nope'$"),
        ({"uri": 5}, r"^uri: must be a text; found 5$"),
        (
            {},
            r"^run: must be in \S+, which does not exist; found 'last'\. Pass outputs=",
        ),
    ],
)
def test_a_folder_of_runs_that_is_not_there_is_one_line(monkeypatch, tmp_path, arguments, line):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FRAMESWEEP_OUTPUTS", raising=False)
    with pytest.raises(FramesweepError, match=line):
        load("last", **arguments)
