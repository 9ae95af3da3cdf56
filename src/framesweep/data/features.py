"""Mel features of sound: log-mel bins or MFCCs, as Kaldi computes them.

Samples come as floats from -1 to 1 and are scaled to the 16-bit range, which is Kaldi's
convention: the log of a bin then seldom meets its floor.
"""

from dataclasses import dataclass
from typing import Any, Literal

import kaldi_native_fbank as knf
import numpy as np

from framesweep.data.corpus import Array
from framesweep.errors import ConfigError

INT16_SCALE = 32768.0
MIN_MEL_BINS = 3
"""Fewest filters that kaldi-native-fbank makes."""
MAX_MEL_BINS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureOptions:
    """How sound becomes features; times in milliseconds, frequencies in Hz.

    Attributes:
        kind: log-mel filter bank or mel-frequency cepstra.
        num_mel_bins: triangular filters on the mel scale.
        num_ceps: cepstra kept, the zeroth included; mfcc only.
        window_ms: length of a frame's window.
        shift_ms: time from one frame to the next.
        low_freq: lower edge of the first filter.
        high_freq: upper edge of the last filter; 0 or less counts from half the sample rate.
        use_energy: log energy of the frame, before the bins or in place of cepstrum 0.
        energy_floor: least energy before its log, on the 16-bit scale; 0 for none.
        snip_edges: only windows that lie wholly in the sound; else there is one frame for
            every shift and the sound is mirrored at its edges.
        window_type: window function.
        deltas: highest order of time derivatives that are appended, 0 to 2.
    """

    kind: Literal["fbank", "mfcc"] = "fbank"
    num_mel_bins: int = 40
    num_ceps: int = 13
    window_ms: float = 25.0
    shift_ms: float = 10.0
    low_freq: float = 20.0
    high_freq: float = 0.0
    use_energy: bool = False
    energy_floor: float = 0.0
    snip_edges: bool = True
    window_type: Literal["povey", "hamming", "hanning", "rectangular"] = "povey"
    deltas: int = 0

    @property
    def dim(self) -> int:
        """Features a frame."""
        static = self.num_ceps if self.kind == "mfcc" else self.num_mel_bins + self.use_energy
        return static * (1 + self.deltas)

    def check(self, key: str = "data") -> None:
        """Raises ConfigError, under `key`, for the first option that breaks its rule."""
        for name in ("num_ceps", "window_ms", "shift_ms"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{key}.{name}", "must be above 0", found=getattr(self, name))
        if not MIN_MEL_BINS <= self.num_mel_bins <= MAX_MEL_BINS:
            raise ConfigError(
                f"{key}.num_mel_bins",
                f"must be from {MIN_MEL_BINS} to {MAX_MEL_BINS}",
                found=self.num_mel_bins,
            )
        if self.kind == "mfcc" and self.num_ceps > self.num_mel_bins:
            raise ConfigError(
                f"{key}.num_ceps", "must not exceed num_mel_bins", found=self.num_ceps
            )
        if self.deltas not in (0, 1, 2):
            raise ConfigError(f"{key}.deltas", "must be 0, 1 or 2", found=self.deltas)
        for name in ("low_freq", "energy_floor"):
            if getattr(self, name) < 0:
                raise ConfigError(
                    f"{key}.{name}", "must not be negative", found=getattr(self, name)
                )


def mel_features(
    samples: Array, sample_rate: int, options: FeatureOptions = FeatureOptions()
) -> Array:
    """Features of mono samples, the same for the same input: dither is off.

    Args:
        samples: (N,) from -1 to 1.
        sample_rate: in Hz.

    Returns:
        (T, D) float32, T being `num_frames(N, sample_rate, options)`, D `options.dim`.

    Raises:
        ConfigError: the options ask for filters that this sample rate cannot give.
    """
    extractor = _extractor(sample_rate, options)
    extractor.accept_waveform(sample_rate, np.asarray(samples, np.float32) * INT16_SCALE)
    extractor.input_finished()
    static = options.dim // (1 + options.deltas)
    features = np.empty((extractor.num_frames_ready, static), dtype=np.float32)
    for frame in range(len(features)):
        features[frame] = extractor.get_frame(frame)
    return append_deltas(features, options.deltas)


def append_deltas(features: Array, order: int) -> Array:
    """(T, D) to (T, D * (1 + order)): the features, then each time derivative in turn.

    A derivative is the slope of the line through five frames, and that of a higher order the
    slope of slopes; frames beyond the edges count as the edge frame (Kaldi's add-deltas).
    """
    slope = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) / 10.0
    parts, kernel = [features], np.ones(1)
    for _ in range(order if len(features) else 0):
        kernel = np.convolve(kernel, slope)
        reach = len(kernel) // 2
        edged = np.pad(features, ((reach, reach), (0, 0)), mode="edge")
        rows = np.lib.stride_tricks.sliding_window_view(edged, len(kernel), axis=0)
        parts.append((rows @ kernel).astype(np.float32))
    return np.concatenate(parts, axis=1)


def num_frames(num_samples: int, sample_rate: int, options: FeatureOptions) -> int:
    """Frames that so many samples give."""
    window, shift = _window_and_shift(sample_rate, options)
    if options.snip_edges:
        return 0 if num_samples < window else 1 + (num_samples - window) // shift
    return (num_samples + shift // 2) // shift


def frame_centres(num_frames: int, sample_rate: int, options: FeatureOptions) -> Array:
    """(T,) float64: the middle of each frame's window, in samples from the start."""
    window, shift = _window_and_shift(sample_rate, options)
    first = window / 2 if options.snip_edges else shift / 2
    return first + shift * np.arange(num_frames)


def _window_and_shift(sample_rate: int, options: FeatureOptions) -> tuple[int, int]:
    """In samples, the fraction cut off as Kaldi does."""
    per_ms = sample_rate * 0.001
    return int(per_ms * options.window_ms), int(per_ms * options.shift_ms)


def _extractor(sample_rate: int, options: FeatureOptions) -> Any:
    """The library's own streaming extractor for these options.

    Raises ConfigError where this sample rate cannot give such windows or filters.
    """
    if min(_window_and_shift(sample_rate, options)) < 1:
        raise ConfigError(
            "data.window_ms, data.shift_ms", f"must span a sample at {sample_rate} Hz"
        )
    frame = knf.FrameExtractionOptions(
        samp_freq=sample_rate,
        frame_shift_ms=options.shift_ms,
        frame_length_ms=options.window_ms,
        dither=0.0,
        snip_edges=options.snip_edges,
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
        "energy_floor": options.energy_floor,
    }
    try:
        if options.kind == "mfcc":
            return knf.OnlineMfcc(knf.MfccOptions(num_ceps=options.num_ceps, **common))
        return knf.OnlineFbank(knf.FbankOptions(**common))
    except ValueError as error:
        raise ConfigError(
            "data.num_mel_bins, data.high_freq",
            f"must give filters at {sample_rate} Hz ({str(error).rstrip('.')})",
        ) from None
