"""Phonemes become segments that start where their closures do."""

import numpy as np
import pytest

from framesweep.data.phones import ARPABET_71
from framesweep.data.readers.demo.espeak import Speech
from framesweep.data.readers.demo.speech import (
    LabelledAudio,
    concatenate,
    label_speech,
    label_whole,
)


def speech(phonemes, sounding, length):
    """Ones within `sounding` (start, stop) ranges, silence elsewhere."""
    samples = np.zeros(length, dtype=np.int16)
    for start, stop in sounding:
        samples[start:stop] = 1
    return Speech(samples, tuple(phonemes))


def segments(clip):
    names = [ARPABET_71.names[label] for label in clip.labels]
    return list(zip(clip.starts.tolist(), names, strict=True))


def test_closure_belongs_to_its_stop():
    clip = label_speech(
        speech([("a", 10), ("t", 60), ("_:", 80)], [(10, 40), (60, 80)], length=100), "en"
    )
    assert segments(clip) == [(0, "SIL"), (10, "AE0"), (40, "T"), (80, "SIL")]


def test_silence_after_a_pause_stays_silence():
    clip = label_speech(
        speech([("_:", 10), ("t", 60), ("'i:", 70)], [(0, 10), (60, 100)], length=100), "en"
    )
    assert segments(clip) == [(0, "SIL"), (10, "SIL"), (60, "T"), (70, "IY1")]


def test_silent_phoneme_has_no_segment():
    clip = label_speech(
        speech([("A@", 0), ("r", 50), ("k", 70)], [(0, 50), (70, 90)], length=90),
        "en-gb-scotland",
    )
    assert segments(clip) == [(0, "SIL"), (0, "AA0"), (50, "K")]


def test_glottal_stop_consists_of_its_silence():
    clip = label_speech(
        speech([("I", 0), ("?", 30), ("n-", 50)], [(0, 30), (50, 90)], length=90), "en-us"
    )
    assert segments(clip) == [(0, "SIL"), (0, "IH0"), (30, "T"), (50, "N")]


def test_two_phones_share_a_phoneme_and_a_glide_lengthens_the_vowel():
    clip = label_speech(
        speech([("'A@", 0), ("I2", 40), (";", 50), ("oU", 60)], [(0, 80)], length=80), "en-us"
    )
    assert segments(clip) == [
        (0, "SIL"), (0, "AA1"), (20, "R"), (40, "IH0"), (60, "OW0"),
    ]  # fmt: skip


def test_position_is_labelled_by_the_segment_that_contains_it():
    clip = LabelledAudio(np.zeros(10), np.array([0, 0, 4, 7]), np.array([0, 3, 5, 0]))
    assert clip.labels_at(np.array([0.0, 3.5, 4.0, 6.9, 7.0, 50.0])).tolist() == [
        3, 3, 5, 5, 0, 0,
    ]  # fmt: skip


def test_concatenated_parts_keep_their_labels():
    sil, spn = ARPABET_71.id("SIL"), ARPABET_71.id("SPN")
    tone = LabelledAudio(np.ones(6), np.array([0, 2]), np.array([7, 8]))
    clip = concatenate(
        [label_whole(np.zeros(5), "SIL"), tone, label_whole(np.full(3, 2.0), "SPN")]
    )
    assert clip.starts.tolist() == [0, 5, 7, 11]
    assert clip.labels.tolist() == [sil, 7, 8, spn]
    assert clip.samples.tolist() == [0.0] * 5 + [1.0] * 6 + [2.0] * 3
    assert clip.speech.tolist() == [1.0] * 6 + [2.0] * 3


@pytest.mark.parametrize("length", [0, 50])
def test_speech_without_phonemes_is_silence(length):
    assert segments(label_speech(speech([], [], length), "en")) == [(0, "SIL")]
