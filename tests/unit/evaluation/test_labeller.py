"""Files, samples and features are labelled alike, with times that cover the audio."""

import json
from typing import Any

import numpy as np
import pytest
import soundfile

from audio_model import NAMES, RATE, make_tones, write_model
from framesweep.config.composition import register
from framesweep.data.features import mel_features
from framesweep.errors import CheckpointError, DataError
from framesweep.evaluation.labeller import Labeller
from framesweep.evaluation.phone_chain import count_chain
from framesweep.evaluation.predictor import METADATA, Predictor
from framesweep.evaluation.smoother_file import write_smoother
from framesweep.evaluation.viterbi import Smoother, Strength

register()

TDNN = ("model=tdnn", "model.channels=8", "model.dilations=[1]", "data.context=3")


@pytest.fixture
def labeller(folder):
    return Labeller.load(folder)


def test_a_file_its_samples_and_its_features_get_the_same_phones(folder, labeller, tmp_path):
    samples = make_tones()
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    options = labeller.featurization.options
    features = mel_features(samples, RATE, options)
    from_file = labeller.decode(tmp_path / "a.wav")
    ids = Predictor.load(folder).predict(features)
    assert from_file.segments == labeller.label(str(tmp_path / "a.wav"))
    assert from_file.segments == labeller.label(samples, RATE)
    assert from_file.posteriors.argmax(axis=1).tolist() == ids.tolist()
    phones = [segment.phone for segment in labeller.label(features)]
    changes = np.flatnonzero(np.diff(ids, prepend=-1))
    assert phones == [NAMES[ids[i]] for i in changes]
    assert phones == [segment.phone for segment in from_file.segments]
    assert len(set(phones)) > 1


def test_segments_follow_each_other_and_cover_the_audio(labeller):
    samples = make_tones(1.2345)
    segments = labeller.label(samples, RATE)
    assert segments[0].start_s == 0
    assert segments[-1].end_s == pytest.approx(len(samples) / RATE)
    assert [s.end_s for s in segments[:-1]] == [s.start_s for s in segments[1:]]
    assert all(0 < s.posterior <= 1 for s in segments)


def test_integers_and_channels_are_scaled_and_averaged(labeller):
    samples = make_tones()
    integers = np.round(samples * 32768).astype(np.int16)
    exact = integers / 32768
    assert labeller.label(integers, RATE) == labeller.label(exact, RATE)
    stereo = np.stack((exact, exact), axis=1)
    assert labeller.label(stereo, RATE) == labeller.label(exact, RATE)


def test_another_sample_rate_is_resampled_and_keeps_the_duration(labeller, tmp_path):
    samples = make_tones(1.01, rate=44_100)
    soundfile.write(tmp_path / "a.wav", samples, 44_100, subtype="FLOAT")
    segments = labeller.label(tmp_path / "a.wav")
    assert segments == labeller.label(samples, 44_100)
    assert segments[-1].end_s == pytest.approx(len(samples) / 44_100, abs=1e-9)


def test_an_ensemble_averages_probabilities(folder, tmp_path):
    write_model(tmp_path / "other", seed=1)
    samples = make_tones()
    one, other = (Labeller.load(f).decode(samples, RATE) for f in (folder, tmp_path / "other"))
    both = Labeller.load(folder, tmp_path / "other").decode(samples, RATE)
    mean = (one.posteriors + other.posteriors) / 2
    np.testing.assert_allclose(both.posteriors, mean, rtol=1e-6)


@pytest.mark.parametrize(
    "difference", [{"overrides": ("data.window_ms=20",)}, {"names": ("pau", "b", "c", "d")}]
)
def test_an_ensemble_of_runs_that_differ_in_phones_or_features_is_refused(
    folder, tmp_path, difference
):
    write_model(tmp_path / "other", *difference.pop("overrides", ()), **difference)
    with pytest.raises(DataError, match="same phones and the same features"):
        Labeller.load(folder, tmp_path / "other")


def test_smoothing_uses_what_was_stored_with_the_model(tmp_path):
    write_model(tmp_path)
    with pytest.raises(CheckpointError, match=r"to be smoothed"):
        Labeller.load(tmp_path, smooth=True)
    chain = count_chain(np.repeat(np.arange(4), 200), np.array([800]), 4)
    write_smoother(tmp_path, Smoother(chain, Strength(4.0, 0.0)))
    samples = make_tones(3)
    plain = Labeller.load(tmp_path).label(samples, RATE)
    smoothed = Labeller.load(tmp_path, smooth=True).label(samples, RATE)
    assert len(smoothed) < len(plain)
    assert smoothed[-1].end_s == plain[-1].end_s


def test_a_model_of_an_earlier_version_takes_the_features_from_its_config(folder, tmp_path):
    config = write_model(tmp_path, "data.shift_ms=5", "data.sample_rate=8000")
    metadata = json.loads((tmp_path / METADATA).read_text())
    for key in ("featurization", "frame_shift_ms", "checksum"):
        del metadata[key]
    (tmp_path / METADATA).write_text(json.dumps(metadata))
    assert Labeller.load(tmp_path).featurization == config.data.featurization
    assert config.data.featurization.sample_rate == 8000


def test_a_run_on_files_of_features_labels_features_and_refuses_audio(tmp_path):
    write_model(tmp_path, "data=hw1p2", "data.root=/nowhere")
    labeller = Labeller.load(tmp_path)
    features = np.random.default_rng(0).normal(size=(30, 40)).astype(np.float32)
    segments = labeller.label(features)
    assert segments[-1].end_s == pytest.approx(0.3)
    audio: tuple[Any, ...]
    for audio in [("any.wav",), (make_tones(), RATE)]:
        with pytest.raises(DataError, match="trained on files of features"):
            labeller.label(*audio)


def make_nan():
    samples = make_tones()
    samples[1600] = np.nan
    return samples


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((make_nan(), RATE), r"samples must be finite; found 'nan at 0\.100 s'"),
        ((make_nan(), 8000), r"samples must be finite; found 'nan at 0\.200 s'"),
        ((make_tones(0.02), RATE), r"at least as long as one analysis window, 25\.0 ms"),
        ((make_tones(),), "sample_rate: must be given"),
        ((make_tones(), 0), "sample_rate: must be at least 1 Hz"),
        ((np.zeros(0, np.float32), RATE), "samples: must have shape"),
        ((np.zeros(9, np.uint8), RATE), "samples: must be floats, or signed integers"),
        ((np.zeros((9, 3), np.float32),), "must have 40 features per frame; found 3"),
        (("missing.wav",), r"missing\.wav: must exist"),
        ((__file__,), r"must be an audio file that libsndfile can read"),
    ],
)
def test_what_cannot_be_labelled_is_refused_in_one_line(labeller, arguments, message):
    with pytest.raises(DataError, match=message) as refused:
        labeller.label(*arguments)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("overrides", [(), TDNN])
def test_a_long_recording_is_classified_in_batches_that_do_not_show(
    tmp_path, monkeypatch, overrides
):
    write_model(tmp_path, *overrides)
    features = np.random.default_rng(0).normal(size=(50, 40)).astype(np.float32)
    whole = Predictor.load(tmp_path).log_posteriors(features)
    monkeypatch.setattr("framesweep.evaluation.predictor.BATCH_FRAMES", 7)
    parts = Predictor.load(tmp_path).log_posteriors(features)
    np.testing.assert_allclose(parts, whole, atol=1e-5)
