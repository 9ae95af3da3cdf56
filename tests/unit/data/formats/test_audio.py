import subprocess
import sys

import numpy as np
import pytest
import soundfile

from framesweep.data.formats.audio import read_sound, resampled, sound_info
from framesweep.errors import DataError


def tone(rate, seconds=0.5, frequency=440.0):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", {}),
        ("a.flac", {}),
        ("a.ogg", {}),
        ("SA1.WAV", {"format": "NIST"}),
        ("a.sph", {"format": "NIST"}),
        ("b.sph", {"format": "NIST", "subtype": "ULAW"}),
    ],
)
def test_formats(tmp_path, name, options):
    samples = tone(16_000)
    soundfile.write(tmp_path / name, samples, 16_000, **options)
    found, rate = read_sound(tmp_path / name, 16_000)
    assert (rate, found.dtype, found.shape) == (16_000, np.float32, samples.shape)
    assert np.abs(found - samples).max() < 0.05
    assert sound_info(tmp_path / name) == (16_000, 0.5)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_rates_are_brought_to_one(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(rate), rate)
    found, own_rate = read_sound(tmp_path / "a.wav", 16_000)
    expected = tone(16_000)
    assert own_rate == rate
    assert abs(len(found) - len(expected)) <= 1
    middle = slice(500, 7_500)
    assert np.abs(found[middle] - expected[middle]).max() < 0.01


def test_what_the_new_rate_cannot_hold_is_removed(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(48_000, frequency=11_000.0), 48_000)
    found, _ = read_sound(tmp_path / "a.wav", 16_000)
    assert np.abs(found[500:7_500]).max() < 0.01


def test_channels_are_averaged(tmp_path):
    left = tone(16_000)
    soundfile.write(tmp_path / "a.wav", np.stack([left, np.zeros_like(left)], axis=1), 16_000)
    found, _ = read_sound(tmp_path / "a.wav", 16_000)
    assert np.abs(found - left / 2).max() < 1e-4


def test_refuses_what_is_no_sound(tmp_path):
    text, empty = tmp_path / "text.wav", tmp_path / "empty.wav"
    text.write_text("hello")
    soundfile.write(empty, np.zeros(0), 16_000)
    packed = tmp_path / "SA1.WAV"
    packed.write_bytes(
        b"NIST_1A\n   1024\nsample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n"
    )
    with pytest.raises(DataError, match="must be a sound file"):
        read_sound(text, 16_000)
    with pytest.raises(DataError, match="at least one sample"):
        read_sound(empty, 16_000)
    with pytest.raises(DataError, match="unpack it with sph2pipe"):
        read_sound(packed, 16_000)
    with pytest.raises(DataError, match="must exist"):
        sound_info(tmp_path / "none.wav")


@pytest.mark.parametrize(("own_rate", "rate"), [(8000, 16_000), (22_050, 16_000)])
def test_a_tone_stays_the_tone_it_was(own_rate, rate):
    def tone(sample_rate):
        return np.sin(2 * np.pi * 440 * np.arange(sample_rate) / sample_rate)

    found = resampled(tone(own_rate), own_rate, rate)
    assert found.shape == (rate,)
    middle = slice(rate // 4, 3 * rate // 4)
    np.testing.assert_allclose(found[middle], tone(rate)[middle], atol=2e-3)


def test_float32_stays_float32():
    assert resampled(np.zeros(80, np.float32), 8000, 16_000).dtype == np.float32


def test_a_prepared_corpus_is_opened_without_scipy():
    readers = "framesweep.data.readers"
    code = f"import sys, {readers}.demo.corpus, {readers}.segments; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert "framesweep.data.readers.segments" in done.stdout.split()
    assert "scipy" not in done.stdout.split()
