"""The demo corpus: sentences of our own, spoken by eSpeak NG with noise added.

It needs no download, is the same for the same config, and takes seconds to make. Each voice
is an accent and a variant of the synthesiser; no variant is heard in two splits.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from importlib.metadata import version
from typing import Any

import numpy as np

from framesweep.config import DemoConfig
from framesweep.data.corpus import SPLITS, Array, Utterance
from framesweep.data.features import FeatureOptions, frame_centres, mel_features
from framesweep.data.formats.audio import resample
from framesweep.data.phones import ARPABET_71, PhoneSet
from framesweep.data.readers.demo.arpabet import NOISE, SILENCE
from framesweep.data.readers.demo.espeak import Espeak
from framesweep.data.readers.demo.speech import Spoken, joined, spoken, whole
from framesweep.errors import ConfigError

RECIPE = 1
"""To be raised whenever the same config comes to make other utterances."""
SAMPLE_RATE = 16000
SECONDS_AN_UTTERANCE = 3.7
"""Mean over the sentences, voices and rates below; tested."""

ACCENTS = "en-us en en-gb-x-rp en-gb-scotland"
"""Languages of eSpeak's voices; `en` is the one of Great Britain."""
VARIANTS = {
    "train": "m1 m3 m4 m5 m6 m7 f1 Alex Andy Annie boris Denis ed Gene grandma gustave iven2 "
    "Jacky Lee linda marcelo Mario max Michael Mike Nguyen paul rob shelby steph steph2",
    "dev": "belinda iven4 john m8",
    "test": "aunty norbert quincy travis",
}
"""Variants of eSpeak's voices without echo, breath or another engine."""

LEVELS = (-35.0, -20.0)
"""Root mean square of speech, in dB below full scale."""
RATES = (130, 220)
"""Words a minute."""
PITCHES = (35, 66)
"""Of eSpeak's 0 to 99."""
EDGES = (0.1, 0.5)
"""Seconds of silence before and after the speech."""
BABBLE_SHARE = 0.1
"""Share of utterances with a stretch of speech-like noise, labelled SPN."""
BABBLE = (0.3, 0.8)
"""Its length in seconds."""


class DemoCorpus:
    """Reader of the demo corpus; it makes what it reads.

    Raises:
        ConfigError: a key of the config breaks its rule.
    """

    name = "demo"

    def __init__(self, config: DemoConfig) -> None:
        _check(config)
        self._config = config
        self._options = FeatureOptions(num_mel_bins=config.num_mel_bins)

    def source_key(self) -> dict[str, Any]:
        """All that the content depends on; the minutes come in as numbers of utterances."""
        config = self._config
        return {
            "recipe": RECIPE,
            "utterances": {split: self.num_utterances(split) for split in SPLITS},
            "num_mel_bins": config.num_mel_bins,
            "snr": [config.min_snr, config.max_snr],
            "seed": config.seed,
            "sentences": hashlib.blake2b("\n".join(sentences()).encode()).hexdigest()[:16],
            "espeakng-loader": version("espeakng-loader"),
            "kaldi-native-fbank": version("kaldi-native-fbank"),
        }

    def splits(self) -> tuple[str, ...]:
        return SPLITS

    def num_utterances(self, split: str) -> int:
        """As many as fill the minutes asked for at the mean length, one at least."""
        minutes: float = getattr(self._config, f"{split}_minutes")
        count = max(1, round(minutes * 60 / SECONDS_AN_UTTERANCE))
        return min(count, self._config.max_utterances or count)

    def phone_set(self, num_classes: int) -> PhoneSet:
        return ARPABET_71

    def utterances(self, split: str) -> Iterator[Utterance]:
        """The utterances of a split, each drawn from its own random numbers.

        Raises:
            DataError: eSpeak NG cannot be loaded or lacks a voice.
        """
        order = np.random.default_rng([self._config.seed, SPLITS.index(split)])
        texts = order.permutation(sentences())
        voices = order.permutation(voices_of(split))
        with Espeak() as espeak:
            for index in range(self.num_utterances(split)):
                text = str(texts[index % len(texts)])
                voice = str(voices[index % len(voices)])
                random = np.random.default_rng([self._config.seed, SPLITS.index(split), index])
                clip = _record(espeak, text, voice, random)
                yield self._utterance(f"{split}-{index:05d}", voice, clip, random)

    def _utterance(
        self, name: str, voice: str, clip: Spoken, random: np.random.Generator
    ) -> Utterance:
        snr = random.uniform(self._config.min_snr, self._config.max_snr)
        noise = coloured_noise(len(clip.samples), random) * 10 ** (-snr / 20)
        level = 10 ** (random.uniform(*LEVELS) / 20)
        samples = (clip.samples + noise) * level
        features = mel_features(samples, SAMPLE_RATE, self._options)
        centres = frame_centres(len(features), SAMPLE_RATE, self._options)
        return Utterance(name, features, clip.labels_at(centres), voice)


def sentences() -> list[str]:
    """What is spoken, one sentence a line."""
    text = resources.files("framesweep.data.readers.demo").joinpath("sentences.txt")
    return text.read_text(encoding="utf-8").splitlines()


def voices_of(split: str) -> list[str]:
    """The voices of a split, as `en-us+f1`."""
    return [
        f"{accent}+{variant}"
        for variant in VARIANTS[split].split()
        for accent in ACCENTS.split()
    ]


def coloured_noise(num_samples: int, random: np.random.Generator) -> Array:
    """(N,) noise of root mean square 1, its power falling by 0 to 6 dB an octave."""
    from scipy.fft import next_fast_len  # slow to import, and a prepared corpus needs none

    size = next_fast_len(num_samples, real=True)
    spectrum = np.fft.rfft(random.standard_normal(size))
    spectrum *= np.maximum(np.arange(len(spectrum)), 1.0) ** -random.uniform(0.0, 1.0)
    noise = np.fft.irfft(spectrum, size)[:num_samples]
    return _unit(noise)


def _record(espeak: Espeak, text: str, voice: str, random: np.random.Generator) -> Spoken:
    """One sentence at SAMPLE_RATE, its speech of root mean square 1, with quiet around it."""
    rate, pitch = (int(random.integers(*bounds)) for bounds in (RATES, PITCHES))
    speech = espeak.speak(text, voice, rate=rate, pitch=pitch)
    native = spoken(speech, voice.partition("+")[0])
    sentence = _resampled(native, espeak.sample_rate)
    parts = [_quiet(random), sentence, _quiet(random)]
    if random.random() < BABBLE_SHARE:
        place = int(random.integers(2)) * 2
        parts[place:place] = [_quiet(random), whole(_babble(sentence, random), NOISE)]
    return joined(parts)


def _resampled(clip: Spoken, own_rate: int) -> Spoken:
    samples = resample(clip.samples.astype(np.float64), own_rate, SAMPLE_RATE)
    starts = np.round(clip.starts * (SAMPLE_RATE / own_rate)).astype(np.int64)
    changed = Spoken(samples, starts, clip.labels)
    return replace(changed, samples=samples / _rms(changed.speech))


def _quiet(random: np.random.Generator) -> Spoken:
    return whole(np.zeros(round(random.uniform(*EDGES) * SAMPLE_RATE)), SILENCE)


def _babble(clip: Spoken, random: np.random.Generator) -> Array:
    """Speech that no one understands: three stretches of it, backwards and at once."""
    length = round(random.uniform(*BABBLE) * SAMPLE_RATE)
    speech = np.resize(clip.speech, max(length, len(clip.speech)))[::-1]
    starts = random.integers(0, len(speech) - length + 1, size=3)
    babble = np.sum([speech[start : start + length] for start in starts], axis=0)
    return _unit(babble)


def _unit(samples: Array) -> Array:
    """The samples at root mean square 1."""
    unit: Array = samples / _rms(samples)
    return unit


def _rms(samples: Array) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


def _check(config: DemoConfig) -> None:
    for name in ("train_minutes", "dev_minutes", "test_minutes"):
        minutes: float = getattr(config, name)
        if not 0 < minutes < math.inf:
            raise ConfigError(f"data.{name}", "must be above 0 minutes", found=minutes)
    FeatureOptions(num_mel_bins=config.num_mel_bins).check()
    if config.seed < 0:
        raise ConfigError("data.seed", "must be 0 or more", found=config.seed)
    for name in ("min_snr", "max_snr"):
        decibels: float = getattr(config, name)
        if not math.isfinite(decibels):
            raise ConfigError(f"data.{name}", "must be a finite number of dB", found=decibels)
    if config.min_snr > config.max_snr:
        raise ConfigError(
            "data.min_snr",
            f"must not exceed data.max_snr, {config.max_snr}",
            found=config.min_snr,
        )
