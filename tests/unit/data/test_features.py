"""Features equal their definitions, written out in NumPy."""

import numpy as np
import pytest

from framesweep.config.features import FeatureOptions
from framesweep.data import features
from framesweep.data.features import (
    append_deltas,
    frame_centers,
    mel_features,
)
from framesweep.errors import ConfigError

RATE = 16_000


def mel(hertz):
    """The mel scale of O'Shaughnessy (1987), with the constants of HTK and Kaldi."""
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


def filter_bank(num_bins, fft_size, rate, low, high):
    """Triangles of equal width on the mel scale, linear in mel; (bins, fft_size / 2)."""
    edges = np.linspace(mel(low), mel(high), num_bins + 2)
    bins = mel(np.arange(fft_size // 2) * rate / fft_size)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.clip(np.minimum(rise, fall), 0.0, None)


def slow_log_mel(samples, rate, options):
    """Log-mel bins in float64, frame by frame, from the definition."""
    window = int(rate * options.window_ms / 1000)
    shift = int(rate * options.shift_ms / 1000)
    fft_size = 1 << (window - 1).bit_length()
    povey = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / (window - 1))) ** 0.85
    high = options.high_freq if options.high_freq > 0 else rate / 2 + options.high_freq
    bank = filter_bank(options.num_mel_bins, fft_size, rate, options.low_freq, high)
    frames = []
    for start in range(0, len(samples) - window + 1, shift):
        frame = samples[start : start + window].astype(np.float64) * 32768
        frame -= frame.mean()
        frame -= 0.97 * np.concatenate([frame[:1], frame[:-1]])
        power = np.abs(np.fft.rfft(frame * povey, fft_size))[:-1] ** 2
        frames.append(np.log(np.maximum(bank @ power, np.finfo(np.float32).eps)))
    return np.array(frames)


@pytest.fixture(scope="module")
def audio():
    """One second of two tones, of which one rises, and some noise."""
    time = np.arange(RATE) / RATE
    tones = np.sin(2 * np.pi * (200 + 900 * time) * time) + np.sin(2 * np.pi * 3000 * time)
    noise = np.random.default_rng(3).normal(size=RATE)
    return (0.2 * tones * np.hanning(RATE) + 0.01 * noise).astype(np.float32)


@pytest.mark.parametrize(
    "options",
    [
        FeatureOptions(),
        FeatureOptions(num_mel_bins=23, window_ms=32, shift_ms=8, high_freq=-400),
        FeatureOptions(num_mel_bins=13, low_freq=100, high_freq=4000),
    ],
)
def test_log_mel_equals_its_definition(audio, options):
    expected = slow_log_mel(audio, RATE, options)
    actual = mel_features(audio, RATE, options)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, atol=5e-3)


def test_mfcc_is_the_liftered_cosine_transform_of_log_mel(audio):
    options = FeatureOptions(features="mfcc", num_mel_bins=23, num_ceps=13)
    bins = mel_features(audio, RATE, FeatureOptions(num_mel_bins=23))
    order = np.arange(13)[:, None]
    basis = np.cos(np.pi * order * (np.arange(23) + 0.5) / 23) * np.sqrt(2 / 23)
    basis[0] /= np.sqrt(2)
    lifter = 1 + 0.5 * 22 * np.sin(np.pi * np.arange(13) / 22)
    expected = bins.astype(np.float64) @ basis.T * lifter
    np.testing.assert_allclose(mel_features(audio, RATE, options), expected, atol=2e-2)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100])
@pytest.mark.parametrize("snip_edges", [True, False])
@pytest.mark.parametrize("num_samples", [0, 1, 79, 199, 200, 399, 400, 401, 559, 560, 4321])
def test_number_of_frames_equals_that_computed(audio, rate, snip_edges, num_samples):
    options = FeatureOptions()
    features = mel_features(audio[:num_samples], rate, options, snip_edges=snip_edges)
    window, shift = int(0.025 * rate), int(0.010 * rate)
    within = 0 if num_samples < window else 1 + (num_samples - window) // shift
    expected = within if snip_edges else (num_samples + shift // 2) // shift
    assert features.shape == (expected, 40)
    assert np.isfinite(features).all()


@pytest.mark.parametrize("snip_edges", [True, False])
def test_click_is_loudest_in_the_frame_centered_on_it(snip_edges):
    options = FeatureOptions()
    centers = frame_centers(98, RATE, options, snip_edges=snip_edges)
    for frame in (10, 50, 90):
        click = np.zeros(RATE, dtype=np.float32)
        click[round(centers[frame])] = 0.5
        energy = np.exp(mel_features(click, RATE, options, snip_edges=snip_edges)).sum(axis=1)
        assert energy.argmax() == frame


def test_silence_is_finite_and_the_energy_floor_holds():
    silence = np.zeros(RATE, dtype=np.float32)
    assert np.isfinite(mel_features(silence, RATE, FeatureOptions())).all()
    options = FeatureOptions(use_energy=True)
    assert options.feature_dim == 41
    features = mel_features(silence, RATE, options, energy_floor=100.0)
    np.testing.assert_allclose(features[:, 0], np.log(100.0))


def test_deltas_of_a_ramp_are_its_slope():
    ramp = np.arange(20, dtype=np.float32)[:, None] * [1.0, -3.0]
    features = append_deltas(ramp.astype(np.float32), 2)
    assert features.shape == (20, 6)
    np.testing.assert_allclose(features[4:-4, 2:4], np.tile([1.0, -3.0], (12, 1)), atol=1e-5)
    np.testing.assert_allclose(features[4:-4, 4:], 0.0, atol=1e-5)


def test_features_are_deterministic(audio):
    first, second = (mel_features(audio, RATE, FeatureOptions()) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize(
    "options",
    [
        FeatureOptions(high_freq=8_001),
        FeatureOptions(num_mel_bins=300),
        FeatureOptions(low_freq=9_000),
        FeatureOptions(shift_ms=0.01),
    ],
)
def test_filters_that_are_impossible_at_a_sample_rate_are_refused(audio, options):
    with pytest.raises(ConfigError):
        mel_features(audio, RATE, options)


def test_the_message_names_each_key_that_may_be_the_cause(audio):
    with pytest.raises(ConfigError, match=r"data\.low_freq, data\.high_freq: must allow all"):
        mel_features(audio, RATE, FeatureOptions(low_freq=9_000))


@pytest.mark.parametrize("kind", ["npy", "pt", "ark"])
def test_stored_features_are_not_computed(audio, kind):
    with pytest.raises(ConfigError, match=rf"data\.features: must be fbank .* found '{kind}'"):
        mel_features(audio, RATE, FeatureOptions(features=kind))


def test_a_negative_energy_floor_is_refused(audio):
    with pytest.raises(ConfigError, match="energy_floor: must be at least 0; found -1"):
        mel_features(audio, RATE, FeatureOptions(), energy_floor=-1)


@pytest.mark.parametrize("snip_edges", [True, False])
@pytest.mark.parametrize("block", [1, 399, 5000])
def test_blocks_of_samples_do_not_change_a_bit(audio, monkeypatch, block, snip_edges):
    options = FeatureOptions(features="mfcc", use_energy=True, deltas=1)
    expected = mel_features(audio, RATE, options, snip_edges=snip_edges)
    monkeypatch.setattr(features, "BLOCK_SAMPLES", block)
    found = mel_features(audio, RATE, options, snip_edges=snip_edges)
    assert found.tobytes() == expected.tobytes()
