"""Synthesizes the demo corpus: sentences spoken by eSpeak NG, with noise added.

It needs no download, is identical for identical configs, and takes seconds to make. A voice is
an accent with a variant of the synthesizer; no variant occurs in two splits.
"""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from importlib.metadata import version
from typing import Any

import numpy as np

from framesweep.config import DemoConfig
from framesweep.config.readers.demo import SAMPLE_RATE
from framesweep.data.corpus import SPLITS, Array, Utterance
from framesweep.data.features import frame_centers, mel_features
from framesweep.data.formats.audio import resample
from framesweep.data.phones import ARPABET_71, PhoneSet
from framesweep.data.readers.demo.arpabet import NOISE, SILENCE
from framesweep.data.readers.demo.espeak import Espeak
from framesweep.data.readers.demo.speech import (
    LabelledAudio,
    concatenate,
    label_speech,
    label_whole,
)

RECIPE = 1
"""Version of the synthesis; increase it if the utterances of any config change."""
SECONDS_PER_UTTERANCE = 3.7
"""Mean over the sentences, voices and rates below; a test verifies it."""

ACCENTS = "en-us en en-gb-x-rp en-gb-scotland"
"""Languages of eSpeak's voices; `en` is British English."""
VARIANTS = {
    "train": "m1 m3 m4 m5 m6 m7 f1 Alex Andy Annie boris Denis ed Gene grandma gustave iven2 "
    "Jacky Lee linda marcelo Mario max Michael Mike Nguyen paul rob shelby steph steph2",
    "dev": "belinda iven4 john m8",
    "test": "aunty norbert quincy travis",
}
"""Variants of eSpeak's voices, except those with echo, breath or another synthesis engine."""

LEVELS = (-35.0, -20.0)
"""Range of the root mean square of speech, in dB relative to full scale."""
RATES = (130, 220)
"""Range of the speaking rate in words per minute."""
PITCHES = (35, 66)
"""Range of the pitch, of eSpeak's 0 to 99."""
EDGES = (0.1, 0.5)
"""Range of the silence before and after the speech, in seconds."""
BABBLE_SHARE = 0.1
"""Share of utterances with a stretch of unintelligible speech, which is labelled SPN."""
BABBLE = (0.3, 0.8)
"""Range of its length in seconds."""

log = logging.getLogger(__name__)


class DemoCorpus:
    """Synthesizes the utterances of the demo corpus when they are read.

    Raises:
        ConfigError: a key of the config breaks its rule.
    """

    name = "demo"

    def __init__(self, config: DemoConfig) -> None:
        self._config = config
        self._options = config.featurization.options
        if config.root is not None:
            log.warning(
                "data.root=%s: is not read, because data=demo is synthesized. Choose a corpus, "
                "as data=hw1p2",
                config.root,
            )

    def source_key(self) -> dict[str, Any]:
        """Return all that the content depends on; minutes count as numbers of utterances."""
        config = self._config
        return {
            "recipe": RECIPE,
            "utterances": {split: self.num_utterances(split) for split in SPLITS},
            "num_mel_bins": config.num_mel_bins,
            "snr": [config.min_snr, config.max_snr],
            "seed": config.seed,
            "sentences": hashlib.blake2b("\n".join(read_sentences()).encode()).hexdigest()[:16],
            "espeakng-loader": version("espeakng-loader"),
            "kaldi-native-fbank": version("kaldi-native-fbank"),
        }

    def splits(self) -> tuple[str, ...]:
        """Return train, dev and test."""
        return SPLITS

    def num_utterances(self, split: str) -> int:
        """Return how many utterances of mean length fill the configured minutes, at least 1."""
        minutes: float = getattr(self._config, f"{split}_minutes")
        count = max(1, round(minutes * 60 / SECONDS_PER_UTTERANCE))
        return min(count, self._config.max_utterances or count)

    def phone_set(self, num_classes: int) -> PhoneSet:
        """Return the 71 ARPAbet labels, whether or not all of them occur."""
        return ARPABET_71

    def utterances(self, split: str) -> Iterator[Utterance]:
        """Yield the utterances of a split.

        Raises:
            DataError: eSpeak NG cannot be loaded, or a voice does not exist.
        """
        order = np.random.default_rng([self._config.seed, SPLITS.index(split)])
        texts = order.permutation(read_sentences())
        voices = order.permutation(list_voices(split))
        with Espeak() as espeak:
            for index in range(self.num_utterances(split)):
                # In turns: every sentence and every voice occurs about equally often.
                text = str(texts[index % len(texts)])
                voice = str(voices[index % len(voices)])
                # One generator per utterance: a small corpus is the start of a large one.
                random = np.random.default_rng([self._config.seed, SPLITS.index(split), index])
                clip = _synthesize(espeak, text, voice, random)
                yield self._utterance(f"{split}-{index:05d}", voice, clip, random)

    def _utterance(
        self, name: str, voice: str, clip: LabelledAudio, random: np.random.Generator
    ) -> Utterance:
        # The speech in `clip` has a root mean square of 1, silence left out, and so has the
        # noise. Scaling the noise by -snr dB thus sets the ratio for the speech itself, however
        # long the silence around it is. Both are then scaled to the recording level together.
        snr = random.uniform(self._config.min_snr, self._config.max_snr)
        noise = make_colored_noise(len(clip.samples), random) * 10 ** (-snr / 20)
        level = 10 ** (random.uniform(*LEVELS) / 20)
        samples = (clip.samples + noise) * level
        features = mel_features(samples, SAMPLE_RATE, self._options)
        centers = frame_centers(len(features), SAMPLE_RATE, self._options)
        return Utterance(name, features, clip.labels_at(centers), voice)


def read_sentences() -> list[str]:
    """Return the sentences of the corpus; the file has one per line."""
    text = resources.files("framesweep.data.readers.demo").joinpath("sentences.txt")
    return text.read_text(encoding="utf-8").splitlines()


def list_voices(split: str) -> list[str]:
    """Return the voices of a split, such as `en-us+f1`."""
    return [
        f"{accent}+{variant}"
        for variant in VARIANTS[split].split()
        for accent in ACCENTS.split()
    ]


def make_colored_noise(num_samples: int, random: np.random.Generator) -> Array:
    """Return (N,) noise with root mean square 1 and a power that falls by 0 to 6 dB per octave.

    White Gaussian noise is filtered in the frequency domain: its amplitude is divided by the
    frequency to a power drawn from 0 (white) to 1 (Brownian, -6 dB per octave).
    """
    from scipy.fft import next_fast_len  # slow to import, and a prepared corpus needs none

    # An FFT of a length with large prime factors would be many times slower.
    size = next_fast_len(num_samples, real=True)
    spectrum = np.fft.rfft(random.standard_normal(size))
    # Bin 0, the constant part, counts as bin 1: dividing by 0 is impossible.
    spectrum *= np.maximum(np.arange(len(spectrum)), 1.0) ** -random.uniform(0.0, 1.0)
    noise = np.fft.irfft(spectrum, size)[:num_samples]
    return _normalize(noise)


def _synthesize(
    espeak: Espeak, text: str, voice: str, random: np.random.Generator
) -> LabelledAudio:
    """Return a sentence at SAMPLE_RATE, with silence around it and perhaps babble.

    The root mean square of the speech and of the babble is 1.
    """
    rate, pitch = (int(random.integers(*bounds)) for bounds in (RATES, PITCHES))
    speech = espeak.speak(text, voice, rate=rate, pitch=pitch)
    labelled = label_speech(speech, voice.partition("+")[0])
    sentence = _resample(labelled, espeak.sample_rate)
    parts = [_make_silence(random), sentence, _make_silence(random)]
    if random.random() < BABBLE_SHARE:
        # Before the first silence or before the last one.
        index = int(random.integers(2)) * 2
        parts[index:index] = [
            _make_silence(random),
            label_whole(_make_babble(sentence, random), NOISE),
        ]
    return concatenate(parts)


def _resample(clip: LabelledAudio, own_rate: int) -> LabelledAudio:
    """Return the audio at SAMPLE_RATE, with a root mean square of 1 in its speech."""
    samples = resample(clip.samples.astype(np.float64), own_rate, SAMPLE_RATE)
    starts = np.round(clip.starts * (SAMPLE_RATE / own_rate)).astype(np.int64)
    changed = LabelledAudio(samples, starts, clip.labels)
    return replace(changed, samples=samples / _root_mean_square(changed.speech))


def _make_silence(random: np.random.Generator) -> LabelledAudio:
    return label_whole(np.zeros(round(random.uniform(*EDGES) * SAMPLE_RATE)), SILENCE)


def _make_babble(clip: LabelledAudio, random: np.random.Generator) -> Array:
    """Return unintelligible speech: three stretches of the sentence, reversed and added up."""
    length = round(random.uniform(*BABBLE) * SAMPLE_RATE)
    speech = np.resize(clip.speech, max(length, len(clip.speech)))[::-1]
    starts = random.integers(0, len(speech) - length + 1, size=3)
    babble = np.sum([speech[start : start + length] for start in starts], axis=0)
    return _normalize(babble)


def _normalize(samples: Array) -> Array:
    """Return the samples scaled to a root mean square of 1."""
    normalized: Array = samples / _root_mean_square(samples)
    return normalized


def _root_mean_square(samples: Array) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))
