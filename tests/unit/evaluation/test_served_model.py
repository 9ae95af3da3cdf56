"""Answers of a logged model: a row per phone or per frame, in the columns of its signature."""

import numpy as np
import pytest
import soundfile

from audio_model import NAMES, RATE, make_tones, write_model
from framesweep.config.composition import register
from framesweep.data.features import mel_features
from framesweep.errors import CheckpointError, DataError
from framesweep.evaluation.labeller import Labeller
from framesweep.evaluation.phone_chain import count_chain
from framesweep.evaluation.served_model import COLUMNS, ServedModel
from framesweep.evaluation.smoother_file import write_smoother
from framesweep.evaluation.viterbi import Smoother, Strength
from framesweep.tracking.models.mlflow_model import _build_signature

register()


@pytest.fixture
def model(folder):
    return ServedModel.load(folder)


def test_the_columns_are_those_of_the_signature(model):
    answer = model.predict({"samples": make_tones(), "sample_rate": RATE}, {})
    assert tuple(answer) == COLUMNS
    assert [column.name for column in _build_signature().outputs.inputs] == list(COLUMNS)
    assert len({len(column) for column in answer.values()}) == 1


def test_a_row_is_a_phone_with_times_and_posterior(folder, model):
    samples = make_tones()
    segments = Labeller.load(folder).label(samples, RATE)
    answer = model.predict(samples, {"sample_rate": RATE})
    assert answer["phone"] == [segment.phone for segment in segments]
    assert [NAMES[index] for index in answer["id"]] == answer["phone"]
    assert answer["start_s"] == [segment.start_s for segment in segments]
    assert answer["end_s"] == [segment.end_s for segment in segments]
    assert answer["posterior"] == [segment.posterior for segment in segments]
    assert set(answer["utterance"]) == {0}


def test_files_samples_and_features_have_the_same_phones(folder, model, tmp_path):
    samples = make_tones()
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    features = mel_features(samples, RATE, Labeller.load(folder).featurization.options)
    of_file = model.predict(tmp_path / "a.wav", {})
    assert of_file == model.predict({"samples": samples, "sample_rate": RATE}, {})
    assert of_file["phone"] == model.predict(features, {})["phone"]
    for dtype in (np.float16, np.float64):
        assert model.predict(features.astype(dtype), {})["phone"]


def test_with_frames_there_is_a_row_for_each_frame(folder, model):
    samples = make_tones()
    decoding = Labeller.load(folder).decode(samples, RATE)
    answer = model.predict(samples, {"sample_rate": RATE, "frames": True})
    assert answer["id"] == decoding.posteriors.argmax(axis=1).tolist()
    assert answer["start_s"] == decoding.edges[:-1].tolist()
    assert answer["end_s"] == decoding.edges[1:].tolist()
    assert answer["posterior"] == decoding.posteriors.max(axis=1).tolist()


def test_several_utterances_are_told_apart(model):
    rows = [{"samples": make_tones(s), "sample_rate": RATE} for s in (0.5, 0.3)]
    answer = model.predict(rows, {"frames": True})
    first = model.predict(rows[0], {"frames": True})
    assert answer["utterance"].count(0) == len(first["phone"])
    assert sorted(set(answer["utterance"])) == [0, 1]


def test_smoothing_needs_a_smoother_and_uses_it(folder, tmp_path):
    samples = make_tones()
    with pytest.raises(CheckpointError, match="to be smoothed"):
        ServedModel.load(folder).predict(samples, {"sample_rate": RATE, "smooth": True})
    write_model(tmp_path / "model")
    labels = np.repeat(np.arange(4), 50)
    chain = count_chain(labels, np.array([200]), 4)
    write_smoother(tmp_path / "model", Smoother(chain, Strength(2.0, 0.0)))
    model = ServedModel.load(tmp_path / "model")
    params = {"sample_rate": RATE, "smooth": True}
    expected = Labeller.load(tmp_path / "model", smooth=True).label(samples, RATE)
    assert model.predict(samples, params)["phone"] == [s.phone for s in expected]
    frames = model.predict(samples, {**params, "frames": True})
    assert len(frames["phone"]) == len(Labeller.load(folder).decode(samples, RATE).posteriors)
    assert len(expected) < len(model.predict(samples, {"sample_rate": RATE})["phone"])


def test_a_model_of_features_says_that_it_cannot_label_audio(tmp_path):
    write_model(tmp_path / "model", "data=hw1p2")
    model = ServedModel.load(tmp_path / "model")
    with pytest.raises(
        DataError, match="cannot be labelled by a run that was trained on files"
    ):
        model.predict({"samples": make_tones(), "sample_rate": RATE}, {})
    answer = model.predict(np.zeros((7, 40)), {"frames": True})
    assert answer["end_s"][-1] == pytest.approx(0.07)


def test_a_negative_sample_rate_is_refused(model):
    with pytest.raises(DataError, match="must be at least 1 Hz; found -1"):
        model.predict(make_tones(), {"sample_rate": -1})
