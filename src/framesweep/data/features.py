"""Computes log-mel filter banks and mel-frequency cepstral coefficients (MFCCs) as Kaldi does.

The mel scale is `1127 * ln(1 + f / 700)` for f in Hz (O'Shaughnessy, "Speech Communication",
1987, with HTK's constants). A filter bank is the log of the energies that overlapping
triangular filters, equally spaced on the mel scale, collect from a frame's power spectrum.
MFCCs are its discrete cosine transform, liftered (Davis and Mermelstein, "Comparison of
parametric representations for monosyllabic word recognition", IEEE Trans. ASSP 28(4), 1980).
kaldi-native-fbank computes both; the unit tests compare it with these definitions in NumPy.

Samples are floats from -1 to 1. They are scaled to the 16-bit range, Kaldi's convention: the
energies are then well above the floor that the log needs.
"""

from typing import Any

import numpy as np

from framesweep.config.features import FeatureOptions
from framesweep.data.corpus import Array
from framesweep.errors import ConfigError

INT16_SCALE = 32768.0

BLOCK_SAMPLES = 1 << 20
"""Samples that the extractor is given together, as a list of some 30 MB."""


def mel_features(
    samples: Array,
    sample_rate: int,
    options: FeatureOptions,
    *,
    snip_edges: bool = True,
    energy_floor: float = 0.0,
) -> Array:
    """Return the features of mono samples. They are deterministic, as dither is off.

    Args:
        samples: (N,) from -1 to 1.
        sample_rate: in Hz.
        options: kind and parameters of the features.
        snip_edges: Kaldi's option: if true, only windows that lie within the audio become
            frames; if false, there is one frame per shift, and the audio is mirrored at its
            ends.
        energy_floor: smallest energy of a frame before its logarithm, on the 16-bit scale; only
            with `options.use_energy`. 0 for none.

    Returns:
        (T, D) float32, where T is the number of windows that `snip_edges` allows and D is
        `options.feature_dim`.

    Raises:
        ConfigError: the windows or filters are impossible at this sample rate.
    """
    if energy_floor < 0:
        raise ConfigError("energy_floor", "must be at least 0", found=energy_floor)
    extractor = _extractor(sample_rate, options, snip_edges, energy_floor)
    scaled = np.asarray(samples, np.float32) * INT16_SCALE
    for start in range(0, len(scaled), BLOCK_SAMPLES):
        # A list: the extractor takes twice as long to read the numbers of an array. The frames
        # are the same whatever the blocks.
        extractor.accept_waveform(sample_rate, scaled[start : start + BLOCK_SAMPLES].tolist())
    extractor.input_finished()
    static = options.feature_dim // (1 + options.deltas)
    features = np.empty((extractor.num_frames_ready, static), dtype=np.float32)
    for frame in range(len(features)):
        features[frame] = extractor.get_frame(frame)
    return append_deltas(features, options.deltas)


def append_deltas(features: Array, order: int) -> Array:
    """Return (T, D) features followed by their time derivatives, (T, D * (1 + order)).

    The first derivative is the slope of the least-squares line through five frames, and a
    higher one is the slope of slopes. Beyond the edges the edge frame is repeated (as in
    Kaldi's `add-deltas`; the formula is in The HTK Book, section "Delta, acceleration and third
    differential coefficients").
    """
    # sum(k * x[k]) / sum(k**2) for k from -2 to 2.
    slope = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) / 10.0
    parts, kernel = [features], np.ones(1)
    for _ in range(order if len(features) else 0):
        # Slopes of slopes are one convolution of the features with a wider kernel. This differs
        # from convolving the first derivative again only at the edges, where Kaldi does this.
        kernel = np.convolve(kernel, slope)
        reach = len(kernel) // 2
        padded = np.pad(features, ((reach, reach), (0, 0)), mode="edge")
        rows = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis=0)
        parts.append((rows @ kernel).astype(np.float32))
    return np.concatenate(parts, axis=1)


def frame_centers(
    num_frames: int, sample_rate: int, options: FeatureOptions, *, snip_edges: bool = True
) -> Array:
    """Return the (T,) float64 centers of the frames' windows, in samples from the start."""
    window, shift = _window_and_shift(sample_rate, options)
    # Without snip_edges Kaldi centers windows in the middle of each shift.
    first = window / 2 if snip_edges else shift / 2
    return first + shift * np.arange(num_frames)


def _window_and_shift(sample_rate: int, options: FeatureOptions) -> tuple[int, int]:
    """Return the window and the shift in samples, truncated to integers as Kaldi does."""
    per_ms = sample_rate * 0.001
    return int(per_ms * options.window_ms), int(per_ms * options.shift_ms)


def _extractor(
    sample_rate: int, options: FeatureOptions, snip_edges: bool, energy_floor: float
) -> Any:
    """Return kaldi-native-fbank's streaming extractor for these options.

    Raises:
        ConfigError: the windows or filters are impossible at this sample rate, or the features
            are stored ones.
    """
    import kaldi_native_fbank as knf  # a model that labels features need not have it

    if options.features not in ("fbank", "mfcc"):
        rule = "must be fbank or mfcc to be computed from audio"
        raise ConfigError("data.features", rule, found=options.features)
    if min(_window_and_shift(sample_rate, options)) < 1:
        raise ConfigError(
            "data.window_ms, data.shift_ms", f"must be at least one sample at {sample_rate} Hz"
        )
    frame = knf.FrameExtractionOptions(
        samp_freq=sample_rate,
        frame_shift_ms=options.shift_ms,
        frame_length_ms=options.window_ms,
        dither=0.0,
        snip_edges=snip_edges,
        window_type=options.window_type,
    )
    mel = knf.MelBanksOptions(
        num_bins=options.num_mel_bins,
        low_freq=options.low_freq,
        high_freq=options.high_freq,
    )
    common = {
        "frame_opts": frame,
        "mel_opts": mel,
        "use_energy": options.use_energy,
        "energy_floor": energy_floor,
    }
    try:
        if options.features == "fbank":
            return knf.OnlineFbank(knf.FbankOptions(**common))
        return knf.OnlineMfcc(knf.MfccOptions(num_ceps=options.num_ceps, **common))
    except ValueError as error:
        raise ConfigError(
            "data.num_mel_bins, data.low_freq, data.high_freq",
            f"must allow all filters at {sample_rate} Hz ({str(error).rstrip('.')})",
        ) from None
