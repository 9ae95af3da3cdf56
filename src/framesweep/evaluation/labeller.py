"""Labels utterances with phones and times: audio files, samples, or features.

labeller = Labeller.load(run_directory / "model")
for segment in labeller.label("mine.wav"):
    print(segment.start_s, segment.end_s, segment.phone, segment.posterior)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Self

import numpy as np

from framesweep.config.features import Featurization
from framesweep.data.corpus import Array
from framesweep.data.features import mel_features
from framesweep.data.formats.audio import read_audio, read_audio_info, resample
from framesweep.data.phone_segments import PhoneSegment, collapse, find_frame_edges
from framesweep.errors import DataError
from framesweep.evaluation.predictor import Predictor
from framesweep.evaluation.smoother_file import average_smoothers, require_smoother
from framesweep.evaluation.viterbi import MIN_PROBABILITY, Smoother

MAX_CHANNELS = 64
"""Channels from which on an array with fewer samples than that must be a transposed one."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """The phones of one utterance of T frames.

    Attributes:
        segments: The phones in order of time.
        features: (T, D) float32.
        posteriors: (T, C) probabilities of the phones.
        edges: (T + 1,) times between the frames, in seconds.
    """

    segments: list[PhoneSegment]
    features: Array
    posteriors: Array
    edges: Array


class Labeller:
    """Labels utterances with a trained network, or with an ensemble of several.

    Args:
        predictors: The networks, whose probabilities are averaged.
        smoother: Smooths the phones along time; None takes the most probable phone of each
            frame.

    Raises:
        DataError: if the networks were not trained on the same phones and features.
    """

    def __init__(
        self, predictors: Sequence[Predictor], smoother: Smoother | None = None
    ) -> None:
        self.predictors = tuple(predictors)
        self._smoother = smoother
        first = self.predictors[0]
        for other in self.predictors[1:]:
            if (other.phones, other.featurization, other.feature_dim) != (
                first.phones,
                first.featurization,
                first.feature_dim,
            ):
                raise DataError(
                    "ensemble",
                    "must be of runs with the same phones and the same features",
                    fix="Combine only runs of the same corpus.",
                )

    @classmethod
    def load(
        cls, *folders: Path | str, smooth: bool = False, smoother: Smoother | None = None
    ) -> Self:
        """Load the model in a folder, or an ensemble of the models in several.

        Args:
            folders: Folders `model` of runs.
            smooth: Whether to smooth by Viterbi's algorithm, with the strength that was tuned
                when the model was trained. An ensemble uses the mean of the strengths.
            smoother: Another smoother to use, whatever `smooth` is.

        Raises:
            CheckpointError: if a file is missing or damaged, or if `smooth` is true and a model
                was stored without its smoother.
            DataError: if the models do not belong together.
        """
        predictors = [Predictor.load(folder) for folder in folders]
        if smooth and smoother is None:
            smoothers = [
                require_smoother(Path(folder), len(predictor.phones))
                for folder, predictor in zip(folders, predictors, strict=True)
            ]
            smoother = average_smoothers(smoothers)
        return cls(predictors, smoother)

    @property
    def featurization(self) -> Featurization | None:
        """How features are computed from audio; None if the model knows only features."""
        return self.predictors[0].featurization

    @property
    def phones(self) -> tuple[str, ...]:
        """The names of the C phones, in the order of the posteriors."""
        return self.predictors[0].phones.names

    def label(
        self, utterance: Path | str | Array, sample_rate: int | None = None
    ) -> list[PhoneSegment]:
        """Return the phones of an utterance in order of time.

        Args:
            utterance: The path of an audio file; or, with `sample_rate`, (N,) or (N, channels)
                samples, floats from -1 to 1 or integers; or (T, D) features as in training.
            sample_rate: Sample rate of the samples, in Hz.

        Raises:
            DataError: if the utterance is not readable, too short or not finite, or if it is
                audio and the model was trained on files of features.
        """
        return self.decode(utterance, sample_rate).segments

    def decode(self, utterance: Path | str | Array, sample_rate: int | None = None) -> Decoding:
        """Return the phones of an utterance with all posteriors; otherwise as `label`."""
        if isinstance(utterance, Path | str):
            return self._decode_file(Path(utterance))
        array = np.asarray(utterance)
        if sample_rate is not None:
            samples = _to_mono(array)
            rate = self.require_featurization().sample_rate
            sample_rate = _read_rate(sample_rate)
            seconds = len(samples) / sample_rate
            if sample_rate != rate:
                _require_finite(samples, sample_rate, "samples")
                samples = resample(samples, sample_rate, rate)
            return self._decode_samples(samples, seconds, "samples")
        if array.ndim == 1:
            raise DataError("sample_rate", "must be given with samples")
        return self._decode_features(array, None)

    def require_featurization(self) -> Featurization:
        """Return how features are computed from audio.

        Raises:
            DataError: if the model was trained on files of features.
        """
        if self.featurization is None:
            raise DataError(
                "audio",
                "cannot be labelled by a run that was trained on files of features, because "
                "it does not know how they were computed",
                fix="Label features of the same kind, or train on audio with data=segments.",
            )
        return self.featurization

    def _decode_file(self, path: Path) -> Decoding:
        rate = self.require_featurization().sample_rate
        samples, _ = read_audio(path, rate)
        seconds = len(samples) / rate
        # Resampling rounds the number of samples up, by less than one.
        _, own_seconds = read_audio_info(path)
        if abs(own_seconds - seconds) < 1 / rate:
            seconds = own_seconds
        return self._decode_samples(samples, seconds, path)

    def _decode_samples(self, samples: Array, seconds: float, where: object) -> Decoding:
        """Decode samples that have the sample rate of the model."""
        featurization = self.require_featurization()
        rate, options = featurization.sample_rate, featurization.options
        _require_finite(samples, rate, where)
        features = mel_features(samples, rate, options)
        if len(features) == 0:
            raise DataError(
                where,
                f"must be at least as long as one analysis window, {options.window_ms} ms",
                found=f"{seconds * 1000:.1f} ms",
            )
        return self._decode_features(features, seconds)

    def _decode_features(self, features: Array, seconds: float | None) -> Decoding:
        """Decode (T, D) features; `seconds` is the duration of their audio, if it is known."""
        posteriors = self.predictors[0].log_posteriors(features).exp().numpy()
        for predictor in self.predictors[1:]:
            posteriors = posteriors + predictor.log_posteriors(features).exp().numpy()
        posteriors = posteriors / len(self.predictors)
        if self._smoother is None:
            path = posteriors.argmax(axis=1)
        else:
            logs = np.log(np.maximum(posteriors, MIN_PROBABILITY))
            path = self._smoother(logs, np.array([len(features)]))
        edges = self._find_edges(len(features), seconds)
        segments = collapse(path, posteriors, edges, self.phones)
        return Decoding(segments, np.asarray(features), posteriors, edges)

    def _find_edges(self, num_frames: int, seconds: float | None) -> Array:
        if self.featurization is None:
            # Without a window, frames are taken to follow each other without overlap.
            return np.arange(num_frames + 1) * (self.predictors[0].frame_shift_ms / 1000)
        options = self.featurization.options
        if seconds is None:
            seconds = ((num_frames - 1) * options.shift_ms + options.window_ms) / 1000
        return find_frame_edges(num_frames, self.featurization, seconds)


def _read_rate(sample_rate: object) -> int:
    if not (isinstance(sample_rate, Real) and float(sample_rate).is_integer()):
        raise DataError("sample_rate", "must be a whole number of Hz", found=sample_rate)
    if sample_rate < 1:
        raise DataError("sample_rate", "must be at least 1 Hz", found=sample_rate)
    return int(float(sample_rate))


def _to_mono(samples: Array) -> Array:
    """Return (N,) or (N, channels) samples as (N,) float32; integers become -1 to 1.

    Raises:
        DataError: if the shape or the type is another.
    """
    if samples.ndim not in (1, 2) or samples.size == 0:
        rule = "must have shape (N,) or (N, channels)"
        raise DataError("samples", rule, found=samples.shape)
    if samples.ndim == 2 and samples.shape[1] > max(MAX_CHANNELS, samples.shape[0]):
        rule, fix = "must have shape (N, channels)", "Transpose the array, as samples.T does."
        raise DataError("samples", rule, found=samples.shape, fix=fix)
    if samples.dtype.kind == "i":
        samples = samples / -float(np.iinfo(samples.dtype).min)
    elif samples.dtype.kind != "f":
        rule = "must be floats, or signed integers"
        raise DataError("samples", rule, found=str(samples.dtype))
    mono = samples.astype(np.float32)
    return mono if mono.ndim == 1 else np.asarray(mono.mean(axis=1))


def _require_finite(samples: Array, sample_rate: int, where: object) -> None:
    bad = np.flatnonzero(~np.isfinite(samples))
    if len(bad):
        raise DataError(
            where,
            "samples must be finite",
            found=f"{samples[bad[0]]} at {bad[0] / sample_rate:.3f} s",
        )
