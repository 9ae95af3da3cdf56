"""Audio with the times of its phones: what the synthesizer said, and silence or noise."""

from dataclasses import dataclass

import numpy as np

from framesweep.data.corpus import Array
from framesweep.data.phones import ARPABET_71
from framesweep.data.readers.demo.arpabet import GLOTTAL_STOP, SILENCE, to_arpabet
from framesweep.data.readers.demo.espeak import Speech


@dataclass(frozen=True, slots=True)
class LabelledAudio:
    """Samples, divided into segments of one phone each.

    Attributes:
        samples: (N,) floats.
        starts: (S,) first sample of each segment, ascending from 0.
        labels: (S,) ids of the segments' phones in ARPABET_71.
    """

    samples: Array
    starts: Array
    labels: Array

    def labels_at(self, positions: Array) -> Array:
        """Return the (T,) labels at (T,) positions, in samples; positions may be fractions."""
        labels: Array = self.labels[np.searchsorted(self.starts, positions, side="right") - 1]
        return labels

    @property
    def speech(self) -> Array:
        """The samples of all phones except silence."""
        lengths = np.diff(self.starts, append=len(self.samples))
        is_speech = np.repeat(self.labels != ARPABET_71.id(SILENCE), lengths)
        speech: Array = self.samples[is_speech]
        return speech


def concatenate(parts: list[LabelledAudio]) -> LabelledAudio:
    """Return the parts in succession."""
    offsets = np.cumsum([0, *(len(part.samples) for part in parts[:-1])])
    starts = [part.starts + offset for part, offset in zip(parts, offsets, strict=True)]
    return LabelledAudio(
        np.concatenate([part.samples for part in parts]),
        np.concatenate(starts),
        np.concatenate([part.labels for part in parts]),
    )


def label_whole(samples: Array, phone: str) -> LabelledAudio:
    """Return (N,) samples as one segment."""
    return LabelledAudio(samples, np.zeros(1, dtype=np.int64), np.array([ARPABET_71.id(phone)]))


def label_speech(speech: Speech, accent: str) -> LabelledAudio:
    """Return synthesized speech with its phones; two phones of one phoneme share it equally.

    Args:
        accent: the language of the voice, such as `en-us`.

    Raises:
        DataError: a phoneme of this accent is unknown.
    """
    mnemonics = [mnemonic for mnemonic, _ in speech.phonemes]
    bounds = [*_phoneme_starts(speech), len(speech.samples)]
    # Up to the first phoneme; without samples if that starts immediately.
    segments = [(0, SILENCE)]
    for index, phones in enumerate(to_arpabet(mnemonics, accent)):
        start, length = bounds[index], bounds[index + 1] - bounds[index]
        # A phoneme that the accent swallows has no duration.
        if length > 0:
            segments += [
                (start + length * part // len(phones), phone)
                for part, phone in enumerate(phones)
            ]
    return LabelledAudio(
        speech.samples,
        np.array([start for start, _ in segments], dtype=np.int64),
        np.array([ARPABET_71.id(phone) for _, phone in segments], dtype=np.int64),
    )


def _phoneme_starts(speech: Speech) -> list[int]:
    """Return the first sample of each phoneme.

    The synthesizer marks where a phoneme becomes audible. The silent closure of a stop would
    then belong to the phoneme before it, although it is part of the stop. So a phoneme starts
    right after the last non-zero sample before its mark. A phoneme without audible samples thus
    gets length 0, except for the glottal stop, which consists of silence.
    """
    audible = np.flatnonzero(speech.samples)
    starts: list[int] = []
    previous, previous_start = "_", 0
    for mnemonic, mark in speech.phonemes:
        start = mark
        # Next to a pause, silence belongs to the pause; after a glottal stop, to that.
        if previous[0] != "_" and previous != GLOTTAL_STOP and mnemonic[0] != "_":
            last = np.searchsorted(audible, mark) - 1
            start = max(previous_start, int(audible[last]) + 1 if last >= 0 else 0)
        starts.append(start)
        previous, previous_start = mnemonic, start
    return starts
