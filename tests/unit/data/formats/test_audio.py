"""Audio of any format, rate and number of channels becomes mono at one rate."""

import math
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from scipy.signal import resample_poly

from framesweep.data.formats.audio import (
    find_truncation,
    read_audio,
    read_audio_info,
    resample,
)
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
def test_every_format_is_read(tmp_path, name, options):
    samples = tone(16_000)
    soundfile.write(tmp_path / name, samples, 16_000, **options)
    found, rate = read_audio(tmp_path / name, 16_000)
    assert (rate, found.dtype, found.shape) == (16_000, np.float32, samples.shape)
    assert np.abs(found - samples).max() < 0.05
    assert read_audio_info(tmp_path / name) == (16_000, 0.5)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_audio_of_any_rate_is_resampled(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(rate), rate)
    found, own_rate = read_audio(tmp_path / "a.wav", 16_000)
    expected = tone(16_000)
    assert own_rate == rate
    assert abs(len(found) - len(expected)) <= 1
    middle = slice(500, 7_500)
    assert np.abs(found[middle] - expected[middle]).max() < 0.01


def test_frequencies_above_the_new_nyquist_frequency_are_removed(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(48_000, frequency=11_000.0), 48_000)
    found, _ = read_audio(tmp_path / "a.wav", 16_000)
    assert np.abs(found[500:7_500]).max() < 0.01


def test_channels_are_averaged(tmp_path):
    left = tone(16_000)
    soundfile.write(tmp_path / "a.wav", np.stack([left, np.zeros_like(left)], axis=1), 16_000)
    found, _ = read_audio(tmp_path / "a.wav", 16_000)
    assert np.abs(found - left / 2).max() < 1e-4


def test_file_that_is_not_audio_is_refused(tmp_path):
    text, empty = tmp_path / "text.wav", tmp_path / "empty.wav"
    text.write_text("hello")
    soundfile.write(empty, np.zeros(0), 16_000)
    packed = tmp_path / "SA1.WAV"
    packed.write_bytes(
        b"NIST_1A\n   1024\nsample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n"
    )
    with pytest.raises(DataError, match="must be an audio file"):
        read_audio(text, 16_000)
    with pytest.raises(DataError, match=r"at least one sample; .*0 samples'\. Copy it again"):
        read_audio(empty, 16_000)
    with pytest.raises(DataError, match="decompress it with sph2pipe"):
        read_audio(packed, 16_000)
    with pytest.raises(DataError, match="must exist"):
        read_audio_info(tmp_path / "none.wav")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            lambda data: b"",
            r"must contain audio; found 'an empty file'\. Copy it again, or leave",
        ),
        (
            lambda data: data[: len(data) // 2],
            r"must be complete and undamaged audio \(.*sync\)",
        ),
        (
            lambda data: data[:1000],
            r"must be complete and undamaged audio \(.*Copy it again, or",
        ),
        (
            lambda data: b"ftypM4A " + data,
            r"that libsndfile can read \(Format not .*Convert it",
        ),
    ],
)
def test_damaged_audio_is_told_from_unknown_audio(tmp_path, content, message):
    path = tmp_path / "a.flac"
    noise = np.random.default_rng(0).normal(scale=0.1, size=32_000)
    soundfile.write(path, noise, 16_000)
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(DataError, match=message):
        read_audio(path, 16_000)


def test_audio_behind_a_header_of_no_samples_says_how_to_repair_it(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(16_000), 16_000)
    data = bytearray(path.read_bytes())
    data[40:44] = bytes(4)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a header of 0 samples'\. If .*sox --ignore-length"):
        read_audio(path, 16_000)


@pytest.mark.parametrize(("own_rate", "rate"), [(8000, 16_000), (22_050, 16_000)])
def test_resampling_keeps_a_tone(own_rate, rate):
    def tone(sample_rate):
        return np.sin(2 * np.pi * 440 * np.arange(sample_rate) / sample_rate)

    found = resample(tone(own_rate), own_rate, rate)
    assert found.shape == (rate,)
    middle = slice(rate // 4, 3 * rate // 4)
    np.testing.assert_allclose(found[middle], tone(rate)[middle], atol=2e-3)


def test_resampling_keeps_float32():
    assert resample(np.zeros(80, np.float32), 8000, 16_000).dtype == np.float32


@pytest.mark.parametrize("own_rate", [8000, 44_100, 48_000])
def test_resampling_has_the_bits_of_scipy_with_its_own_filter(own_rate):
    samples = np.random.default_rng(own_rate).normal(size=5000).astype(np.float32)
    common = math.gcd(own_rate, 16_000)
    expected = resample_poly(samples, 16_000 // common, own_rate // common)
    for _ in range(2):  # the second filter comes from the cache
        assert resample(samples, own_rate, 16_000).tobytes() == expected.tobytes()


def test_readers_are_imported_without_scipy():
    readers = "framesweep.data.readers"
    code = f"import sys, {readers}.demo.corpus, {readers}.segments; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert "framesweep.data.readers.segments" in done.stdout.split()
    assert "scipy" not in done.stdout.split()


@pytest.mark.parametrize("suffix", ["wav", "aiff", "mp3", "ogg", "flac"])
def test_whole_audio_lacks_nothing(tmp_path, suffix):
    soundfile.write(tmp_path / f"a.{suffix}", tone(16_000, 2.0), 16_000)
    assert find_truncation(tmp_path / f"a.{suffix}") == ""


@pytest.mark.parametrize(
    ("suffix", "message"),
    [
        ("wav", "its header promises 2.000 s, the file has 0.999 s"),
        ("aiff", "its header promises 2.000 s, the file has 0.999 s"),
        ("au", "its header promises 2.000 s, the file has 1.000 s"),
        ("mp3", "its header promises 2.000 s, the file has "),
        ("ogg", "its stream has no end, the file has "),
    ],
)
def test_audio_that_is_cut_off_says_how_much_is_left(tmp_path, suffix, message):
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(0).normal(scale=0.1, size=32_000)
    soundfile.write(path, noise, 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert find_truncation(path).startswith(message)


@pytest.mark.parametrize("kind", ["NIST", "RF64"])
def test_channels_that_are_cut_off_say_how_much_is_left(tmp_path, kind):
    path = tmp_path / "a.sph"
    stereo = np.stack([tone(16_000, 2.0)] * 2, axis=1)
    soundfile.write(path, stereo, 16_000, format=kind, subtype="PCM_16")
    assert find_truncation(path) == ""
    path.write_bytes(path.read_bytes()[:-64_000])
    assert find_truncation(path).startswith("its header promises 2.000 s, the file has 1.0")


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x80000000, 0xFFFFFFFF])
def test_a_header_that_was_written_before_its_samples_promises_nothing(tmp_path, size):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(16_000), 16_000)
    data = bytearray(path.read_bytes())
    data[40:44] = size.to_bytes(4, "little")
    path.write_bytes(data)
    assert find_truncation(path) == ""


def test_an_mp3_without_the_header_of_an_encoder_promises_nothing(tmp_path):
    path = tmp_path / "a.mp3"
    soundfile.write(path, tone(16_000, 2.0), 16_000)
    data = path.read_bytes()
    start = data.find(data[:2], 2)
    path.write_bytes(data[start : len(data) // 2])
    assert find_truncation(path) == ""


def test_a_file_that_is_no_audio_lacks_nothing(tmp_path):
    (tmp_path / "a.wav").write_text("hello")
    assert find_truncation(tmp_path / "a.wav") == ""
