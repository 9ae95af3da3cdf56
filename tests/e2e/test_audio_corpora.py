"""A corpus of audio files is taken from preparation to smoothed predictions, as by a user."""

import csv
from itertools import pairwise

import pytest

from tones import PITCH


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
def test_audio_becomes_smoothed_predictions(shell, data):
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
    assert set(labels) <= set(PITCH)
    assert changes <= plain_changes


@pytest.mark.heavy
def test_normalization_by_speaker_needs_speakers(shell, data):
    error = shell.train(*data, "data.normalize=speaker", code=2).stderr
    assert error.count("\n") == 1
    assert "data.normalize=speaker: the speaker of every utterance must be known" in error
    by_speaker = ["data.normalize=speaker", "data.split=speakers", r"data.speaker='u(\d\d)'"]
    shell.framesweep("prepare", *data, *by_speaker)
