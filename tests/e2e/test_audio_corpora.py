"""A corpus of audio files is taken from preparation to smoothed predictions, as by a user."""

import csv
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from framesweep.config.features import FeatureOptions
from framesweep.data.features import frame_centers, mel_features
from framesweep.data.formats.segments import read_segments
from tones import PITCH, RATE


@pytest.fixture
def data(audio_root):
    return [
        "data=segments",
        f"data.root={audio_root}",
        "data.audio=wav",
        "data.segments=lab",
        "data.split=utterances",
        "data.context=3",
    ]


@pytest.mark.heavy
def test_audio_becomes_smoothed_predictions_and_label_files(shell, data, audio_root):
    prepared = shell.framesweep("prepare", *data).stdout
    assert "segments: 40 features per frame, 4 phones; prepared in" in prepared
    inspected = shell.framesweep("inspect", *data, "--out", "corpus.png").stdout
    assert "No problems found." in inspected
    assert (shell.folder / "corpus.png").stat().st_size > 10_000
    small = ["model.widths=[32]", "hardware=cpu", "hardware.threads=1", "train.batch_size=64"]
    levers = ["train.epochs=8", "train.average=ema", "augment.noise=0.1", "optim.lr=5e-3"]
    output = shell.train(*data, *small, *levers).stdout
    assert "dev accuracy after Viterbi smoothing:" in output
    run = output.split("run: ")[1].split()[0]
    measured = shell.framesweep("evaluate", run, "--smooth").stdout
    values = {line.split()[0]: float(line.split()[1]) for line in measured.splitlines()}
    assert values["test/accuracy"] > 0.85
    assert values["test/smoothed_accuracy"] >= values["test/accuracy"] - 0.02
    for smooth in ([], ["--smooth"]):
        shell.framesweep("predict", run, "--labels", "phone", "--out", "p.csv", *smooth)
        with (shell.folder / "p.csv").open(newline="") as file:
            labels = [row["label"] for row in csv.DictReader(file)]
        changes = sum(one != other for one, other in pairwise(labels))
        if not smooth:
            plain_changes = changes
        if not smooth:
            plain_labels = labels
    assert set(labels) <= set(PITCH)
    assert changes <= plain_changes
    assert values["test/smoothed_phone_error_rate"] <= values["test/phone_error_rate"]
    assert_labels_agree(shell, run, audio_root, plain_labels)


def assert_labels_agree(shell, run, root, predicted):
    """`label` writes for recordings what `predict` writes for the frames of their features."""
    single = shell.framesweep("label", run, str(root / "wav" / "u09.flac"), "--format", "phn")
    assert single.stdout.startswith("1 of 1 files labelled in labels: ")
    many = shell.framesweep("label", run, str(root), "--format", "phn", "--out", "all")
    assert many.stdout.startswith("20 of 20 files labelled in all: ")
    alone, among = (shell.folder / path for path in ("labels/u09.phn", "all/wav/u09.phn"))
    assert alone.read_text() == among.read_text()
    frames = []
    for name in ("u09", "u19"):  # the test split
        segments = read_segments(shell.folder / "all" / "wav" / f"{name}.phn", "auto", "", RATE)
        samples = soundfile.info(root / "wav" / f"{name}.flac").frames
        count = len(mel_features(np.zeros(samples), RATE, FeatureOptions()))
        assert segments.ends[-1] == samples / RATE
        times = frame_centers(count, RATE, FeatureOptions()) / RATE
        frames += [segments.phones[i] for i in segments.at(times)]
    agreeing = [one == other for one, other in zip(frames, predicted, strict=True)]
    # Predictions of a split may be computed in bf16.
    assert sum(agreeing) > 0.97 * len(agreeing)


@pytest.mark.heavy
def test_normalization_by_speaker_needs_speakers(shell, data):
    error = shell.train(*data, "data.normalize=speaker", code=2).stderr
    assert error.count("\n") == 1
    assert "data.normalize=speaker: the speaker of every utterance must be known" in error
    by_speaker = ["data.normalize=speaker", "data.split=speakers", r"data.speaker='u(\d\d)'"]
    shell.framesweep("prepare", *data, *by_speaker)
