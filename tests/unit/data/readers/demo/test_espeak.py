"""The binding synthesizes timed phonemes, and reports what goes wrong."""

import itertools
import signal

import numpy as np
import pytest

from framesweep.data.readers.demo import espeak as binding
from framesweep.data.readers.demo.corpus import VARIANTS, list_voices
from framesweep.data.readers.demo.espeak import Espeak
from framesweep.errors import DataError

TEXT = "Please speak up: a proud dog barked!"


@pytest.fixture(scope="module")
def espeak():
    with Espeak() as synthesizer:
        yield synthesizer


def test_speech_has_samples_and_timed_phonemes(espeak):
    speech = espeak.speak(TEXT, "en-us")
    assert espeak.sample_rate == 22_050
    assert speech.samples.dtype == np.int16
    assert 1.5 < len(speech.samples) / espeak.sample_rate < 4.0
    names = [name for name, _ in speech.phonemes]
    assert names[:4] == ["p", "l", "'i:", "z"]
    starts = [start for _, start in speech.phonemes]
    assert starts == sorted(starts)
    assert starts[-1] <= len(speech.samples)


def test_phoneme_starts_where_it_becomes_audible(espeak):
    """An s is noise of high frequency and a vowel is not: the change must be at the event."""
    speech = espeak.speak("Pass a sea. Miss us. Face it.", "en-us")
    samples = speech.samples.astype(float)
    brightness = np.abs(np.diff(samples)) / (np.abs(samples[1:]) + np.abs(samples[:-1]) + 1)
    window = round(0.02 * espeak.sample_rate)
    changes = 0
    for (name, _), (following, start) in itertools.pairwise(speech.phonemes):
        if name == "s" and following.lstrip("',")[0] in "IiVaE":
            before = brightness[start - window : start].mean()
            after = brightness[start : start + window].mean()
            assert before > 2 * after
            changes += 1
    assert changes >= 3


def test_rate_changes_the_length_and_pitch_the_frequency(espeak):
    slow = espeak.speak(TEXT, "en-us", rate=120).samples
    fast = espeak.speak(TEXT, "en-us", rate=240).samples
    assert len(slow) > 1.4 * len(fast)

    def pitch(samples):
        """The strongest repetition between 60 and 250 Hz, by autocorrelation."""
        power = np.abs(np.fft.rfft(samples.astype(float), 2**17)) ** 2
        lags = slice(espeak.sample_rate // 250, espeak.sample_rate // 60)
        lag = lags.start + np.fft.irfft(power)[lags].argmax()
        return espeak.sample_rate / lag

    low = espeak.speak("Maybe we are away in a lonely year.", "en-us", pitch=20).samples
    high = espeak.speak("Maybe we are away in a lonely year.", "en-us", pitch=90).samples
    assert pitch(high) > 1.3 * pitch(low)


def test_output_does_not_depend_on_earlier_instances():
    def say():
        with Espeak() as fresh:
            return [fresh.speak(TEXT, voice).samples for voice in ("en-us+m1", "en+f1")]

    first, second = say(), say()
    assert all(map(np.array_equal, first, second))


@pytest.mark.parametrize("voice", ["xx-nowhere", "en-us+nobody"])
def test_unknown_voice_is_refused(espeak, voice):
    with pytest.raises(DataError, match="the voice must exist"):
        espeak.speak(TEXT, voice)


def test_every_voice_of_the_demo_corpus_exists_and_sounds_different(espeak):
    lengths = {}
    for split in VARIANTS:
        for voice in list_voices(split):
            lengths[voice] = espeak.speak("Hello there.", voice).samples.tobytes()
    assert len(set(lengths.values())) == len(lengths)


def test_interrupt_stops_the_synthesis_and_is_raised(espeak, monkeypatch):
    add_phonemes = binding._Collector._add_phonemes

    def interrupted(collector, events):
        add_phonemes(collector, events)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(binding._Collector, "_add_phonemes", interrupted)
        with pytest.raises(KeyboardInterrupt):
            espeak.speak(TEXT * 3, "en-us")
    assert len(espeak.speak(TEXT, "en-us").samples) > 0


def test_missing_voice_data_is_reported(monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(binding.espeakng_loader, "get_data_path", lambda: str(tmp_path))
    with pytest.raises(DataError, match="must contain the data of eSpeak NG"):
        Espeak()


def test_missing_library_is_reported(monkeypatch, tmp_path):
    missing = str(tmp_path / "libespeak-ng.so")
    monkeypatch.setattr(binding.espeakng_loader, "get_library_path", lambda: missing)
    with pytest.raises(DataError, match="its library must be loadable"):
        Espeak()


def test_temporary_folder_is_removed(monkeypatch, tmp_path):
    monkeypatch.setattr(binding.tempfile, "tempdir", str(tmp_path))
    with Espeak() as fresh:
        fresh.speak("Hello.", "en-us")
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
