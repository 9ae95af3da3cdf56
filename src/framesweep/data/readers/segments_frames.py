"""Computes the labelled frames of one utterance from its audio or stored features."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from framesweep.config import SegmentsConfig
from framesweep.data.checks import validate_features
from framesweep.data.corpus import Array
from framesweep.data.features import frame_centers, mel_features
from framesweep.data.formats.audio import find_truncation, read_audio, read_audio_info
from framesweep.data.formats.frame_labels import read_frame_labels
from framesweep.data.formats.kaldi import read_array
from framesweep.data.formats.master_files import Place
from framesweep.data.formats.names import normalize_name
from framesweep.data.formats.segments import Segments, read_segments
from framesweep.data.formats.stored_features import read_feature_file
from framesweep.data.readers.frame_alignment import (
    align_frames,
    describe_difference,
    stored_frame_centers,
)
from framesweep.data.readers.segments_files import UtteranceFiles
from framesweep.errors import DataError

MAX_OVERRUN = 0.05
"""Seconds by which the last segment may end after the audio: aligners round to whole frames."""
LONG_GAP = 0.2
"""Share of the frames after the last segment that casts doubt on the segments' unit of time, or
on the frame shift of stored features."""
PHN_FILES = (("auto", ".phn"), ("phn", ".phn"))
"""Formats and suffixes of the files that count samples."""
UNIT_OF_SUFFIX = {
    ".textgrid": "seconds",
    ".ctm": "seconds",
    ".csv": "seconds",
    ".json": "seconds",
    ".utt": "seconds",
    ".mlf": "units of 100 ns",
}
"""The unit of the files that no data.format reads in another one."""
MIN_COVERAGE = 0.002
"""Segments that end within this share of the audio must be in another unit of time: samples at
16 kHz, taken for HTK's units of 100 ns, end after 0.0016 of it."""


def analyse(
    files: UtteranceFiles, config: SegmentsConfig, ids: Mapping[str, int]
) -> tuple[Array, Array | None]:
    """Return the (T, D) float32 features and (T,) int16 labels, or None, of one utterance.

    Raises:
        DataError: a file is unreadable, the audio is shorter than one analysis window, or the
            segments do not fit the audio.
    """
    if config.has_stored_features:
        return _label_stored(files, config, ids)
    samples, own_rate = read_audio(files.audio, config.sample_rate)
    features = mel_features(samples, config.sample_rate, config)
    if len(features) == 0:
        rule = f"must be at least as long as one analysis window, {config.window_ms} ms"
        raise DataError(files.audio, rule, fix="Exclude it with data.exclude.")
    if files.segments is None:
        return features, None
    # A .phn file counts samples of the original audio, before it was resampled.
    segments = _read_segments(config, files, files.segments, own_rate)
    _require_fit(segments, len(samples) / config.sample_rate, files, config)
    centers = frame_centers(len(features), config.sample_rate, config) / config.sample_rate
    return features, _labels_at(segments, centers, ids)


def _label_stored(
    files: UtteranceFiles, config: SegmentsConfig, ids: Mapping[str, int]
) -> tuple[Array, Array | None]:
    """Return the stored features and the labels of one utterance, as `analyse` does."""
    where = f"{files.audio}, utterance {files.id}"
    # Also in memory: the parts of a prepared corpus are float32.
    features = validate_features(_read_stored(files), where)
    if files.segments is None:
        return features, None
    if config.format == "frames":
        names = read_frame_labels(files.segments, files.part)
        labels = np.array([ids[name] for name in names], dtype=np.int16)
        return align_frames(features, labels, config, _place(files))
    segments = _read_segments(config, files, files.segments, config.sample_rate)
    centers = stored_frame_centers(len(features), config)
    # The last frame ends a shift before the next would begin, or later.
    end_ms = 2 * config.first_center_ms + config.shift_ms * len(features)
    _require_fit(segments, end_ms / 1000, files, config)
    return features, _labels_at(segments, centers, ids)


def _read_stored(files: UtteranceFiles) -> Array:
    if files.location is not None:
        return read_array(files.location)
    return read_feature_file(files.audio)


def _labels_at(segments: Segments, centers: Array, ids: Mapping[str, int]) -> Array:
    # The label of gaps comes last, where the index -1 finds it.
    labels = np.array([ids[name] for name in (*segments.phones, "")], dtype=np.int16)
    return np.asarray(labels[segments.at(centers)])


def _require_fit(
    segments: Segments, seconds: float, files: UtteranceFiles, config: SegmentsConfig
) -> None:
    """Raise DataError if the segments of an utterance do not fit what they label."""
    end, what = segments.ends[-1], "features" if config.has_stored_features else "audio"
    if end > seconds + MAX_OVERRUN:
        raise DataError(
            _place(files),
            f"must end with its {what}, at {seconds:.3f} s",
            found=f"{end:.3f} s",
            fix=_explain_overrun(files, config),
        )
    if end < MIN_COVERAGE * seconds:
        raise DataError(
            _place(files),
            f"must extend beyond the first {MIN_COVERAGE:.1%} of its {what}, {seconds:.3f} s",
            found=f"{end:.6f} s",
            fix=_explain_unit(files) or "The times are in another unit: set data.format.",
        )


def _place(files: UtteranceFiles) -> Path | Place | None:
    """Return where the segments of an utterance are, for error messages."""
    if files.segments is None or files.part is None:
        return files.segments
    return Place(files.segments, files.part, files.id)


def _explain_overrun(files: UtteranceFiles, config: SegmentsConfig) -> str:
    """Return why the segments of an utterance may end after what they label."""
    if config.has_stored_features:
        return f"Check data.shift_ms={config.shift_ms:g}."
    if missing := find_truncation(files.audio):
        return f"{files.audio} is cut off: {missing}."
    if samples := describe_samples(files, config):
        return f"{samples}."
    return _explain_unit(files) or "If the times are in another unit, set data.format."


def _explain_unit(files: UtteranceFiles) -> str:
    """Say what the times of an utterance count; "" if that depends on data.format."""
    suffix = "" if files.segments is None else files.segments.suffix.lower()
    if suffix not in UNIT_OF_SUFFIX:
        return ""
    start = f"from the start of {files.audio.name}"
    note = ", where xmin must be 0" if suffix == ".textgrid" else ""
    return f"Its times must be in {UNIT_OF_SUFFIX[suffix]}, {start}{note}."


def ends_early(files: UtteranceFiles, config: SegmentsConfig, num_frames: int) -> bool:
    """Return whether the segments of so many frames leave the end of them unlabelled.

    Then the unit of time may be wrong, or the frame shift of stored features too large. If it
    is wrong the other way, the segments end after the frames, which is refused.
    """
    if files.segments is None or config.format == "frames":
        return False
    if config.has_stored_features:
        rate, seconds = config.sample_rate, stored_frame_centers(num_frames, config)[-1]
    else:
        rate, _ = read_audio_info(files.audio)
        centers = frame_centers(num_frames, config.sample_rate, config)
        seconds = centers[-1] / config.sample_rate
    segments = _read_segments(config, files, files.segments, rate)
    return bool(segments.ends[-1] < (1 - LONG_GAP) * seconds)


def describe_samples(files: UtteranceFiles, config: SegmentsConfig) -> str:
    """Say which samples the .phn file of an utterance counts; "" for other formats."""
    suffix = "" if files.segments is None else files.segments.suffix.lower()
    if config.has_stored_features or (config.format, suffix) not in PHN_FILES:
        return ""
    rate, _ = read_audio_info(files.audio)
    return f".phn counts samples of {files.audio.name}, at {rate} Hz"


def _read_segments(
    config: SegmentsConfig, files: UtteranceFiles, path: Path, sample_rate: int
) -> Segments:
    kind = config.format
    assert kind != "frames"  # which has no segments
    segments = read_segments(path, kind, config.tier, sample_rate, files.part, files.id)
    # One phone may be spelled in two Unicode forms, and would become two classes.
    return replace(segments, phones=tuple(map(normalize_name, segments.phones)))


def read_names(config: SegmentsConfig, files: UtteranceFiles, path: Path) -> list[str]:
    """Return the names of the phones in the segment file `path` of an utterance, in order.

    Each is listed once. A segment without a name is a gap, and its name is left out.
    """
    if config.format == "frames":
        return list(dict.fromkeys(read_frame_labels(path, files.part)))
    phones = _read_segments(config, files, path, config.sample_rate).phones
    return [name for name in dict.fromkeys(phones) if name]


def describe_problem(files: UtteranceFiles, config: SegmentsConfig) -> str:
    """Describe cut off audio, and segments that disagree with the frames; "" if neither."""
    missing = "" if config.has_stored_features else find_truncation(files.audio)
    cut_off = f"the audio is cut off: {missing}" if missing else ""
    mismatch = (
        "" if files.segments is None else _describe_mismatch(files, config, files.segments)
    )
    return "; ".join(filter(None, (cut_off, mismatch)))


def _describe_mismatch(files: UtteranceFiles, config: SegmentsConfig, path: Path) -> str:
    """Describe a disagreement between the segments in `path` and the frames; "" if none."""
    if config.format == "frames":
        num_frames, num_labels = (
            len(_read_stored(files)),
            len(read_frame_labels(path, files.part)),
        )
        return describe_difference(num_frames, num_labels, config)
    if config.has_stored_features:
        rate, what = config.sample_rate, "features"
        seconds = stored_frame_centers(len(_read_stored(files)), config)[-1]
    else:
        what = "audio"
        rate, seconds = read_audio_info(files.audio)
    segments = _read_segments(config, files, path, rate)
    end = segments.ends[-1]
    if end > seconds + MAX_OVERRUN or end < (1 - LONG_GAP) * seconds:
        note = describe_samples(files, config)
        ends = f"segments end at {end:.2f} s, the {what} at {seconds:.2f} s"
        return f"{ends} ({note})" if note else ends
    covered = float((segments.ends - segments.starts).sum())
    if covered < seconds / 2:
        return f"segments cover {covered:.2f} s of {seconds:.2f} s"
    return ""
