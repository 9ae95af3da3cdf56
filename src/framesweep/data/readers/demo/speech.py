"""An utterance of the synthesiser, its phones in time, and the quiet and noise around it."""

from dataclasses import dataclass

import numpy as np

from framesweep.data.corpus import Array
from framesweep.data.phones import ARPABET_71
from framesweep.data.readers.demo.arpabet import GLOTTAL_STOP, SILENCE, arpabet
from framesweep.data.readers.demo.espeak import Speech


@dataclass(frozen=True, slots=True)
class Spoken:
    """Samples and what they are.

    Attributes:
        samples: (N,) floats.
        starts: (S,) first sample of each segment, ascending from 0.
        labels: (S,) ids in ARPABET_71 of the segments.
    """

    samples: Array
    starts: Array
    labels: Array

    def labels_at(self, positions: Array) -> Array:
        """(T,) labels at (T,) positions, in samples; fractions of one are allowed."""
        labels: Array = self.labels[np.searchsorted(self.starts, positions, side="right") - 1]
        return labels

    @property
    def speech(self) -> Array:
        """The samples within phones, silence left out."""
        lengths = np.diff(self.starts, append=len(self.samples))
        is_speech = np.repeat(self.labels != ARPABET_71.id(SILENCE), lengths)
        speech: Array = self.samples[is_speech]
        return speech


def joined(parts: list[Spoken]) -> Spoken:
    """The parts one after the other."""
    offsets = np.cumsum([0, *(len(part.samples) for part in parts[:-1])])
    starts = [part.starts + offset for part, offset in zip(parts, offsets, strict=True)]
    return Spoken(
        np.concatenate([part.samples for part in parts]),
        np.concatenate(starts),
        np.concatenate([part.labels for part in parts]),
    )


def whole(samples: Array, phone: str) -> Spoken:
    """Samples that are one segment."""
    return Spoken(samples, np.zeros(1, dtype=np.int64), np.array([ARPABET_71.id(phone)]))


def spoken(speech: Speech, accent: str) -> Spoken:
    """Speech with its phones; two phones of one phoneme have a half of it each.

    Raises:
        DataError: a phoneme of this accent is unknown.
    """
    mnemonics = [mnemonic for mnemonic, _ in speech.phonemes]
    bounds = [*_starts(speech), len(speech.samples)]
    segments = [(0, SILENCE)]
    for index, phones in enumerate(arpabet(mnemonics, accent)):
        start, length = bounds[index], bounds[index + 1] - bounds[index]
        if length > 0:
            segments += [
                (start + length * place // len(phones), phone)
                for place, phone in enumerate(phones)
            ]
    return Spoken(
        speech.samples,
        np.array([start for start, _ in segments], dtype=np.int64),
        np.array([ARPABET_71.id(phone) for _, phone in segments], dtype=np.int64),
    )


def _starts(speech: Speech) -> list[int]:
    """First sample of each phoneme.

    The synthesiser marks where a sound begins, which leaves the silent closure of a stop to
    the phoneme before; here it goes to the stop. A phoneme without any sound has length 0,
    but for the glottal stop, which is nothing else.
    """
    sounding = np.flatnonzero(speech.samples)
    starts: list[int] = []
    before = ("_", 0)
    for mnemonic, event in speech.phonemes:
        start = event
        if before[0][0] != "_" and before[0] != GLOTTAL_STOP and mnemonic[0] != "_":
            last = np.searchsorted(sounding, event) - 1
            start = max(before[1], int(sounding[last]) + 1 if last >= 0 else 0)
        starts.append(start)
        before = (mnemonic, start)
    return starts
