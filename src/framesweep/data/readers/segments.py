"""Reads audio with phone segments: TIMIT, Festival, HTK, Praat, the Montreal Forced Aligner."""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from framesweep.config import DataConfig, SegmentsConfig
from framesweep.data.checks import MAX_CLASSES
from framesweep.data.corpus import Array, Utterance
from framesweep.data.features import frame_centres, mel_features
from framesweep.data.formats.audio import read_audio, read_audio_info
from framesweep.data.formats.names import normalize_name
from framesweep.data.formats.segments import Segments, read_segments
from framesweep.data.phones import PhoneSet
from framesweep.data.readers.parallel import compute_in_parallel
from framesweep.data.readers.segments_files import UtteranceFiles, describe_label_files
from framesweep.data.readers.segments_labels import Labelling, build_labelling
from framesweep.data.readers.segments_splits import list_splits
from framesweep.data.readers.source_files import read_phones, stamp_files, validate_share
from framesweep.errors import ConfigError, DataError
from framesweep.system.progress_bars import track

log = logging.getLogger(__name__)

MAX_OVERRUN = 0.05
"""Seconds by which the last segment may end after the audio: aligners round to whole frames."""
MIN_COVERAGE = 0.002
"""Segments that end within this share of the audio must be in another unit of time: samples at
16 kHz, taken for HTK's units of 100 ns, end after 0.0016 of it."""
MAX_EXAMPLES = 5
"""Largest number of utterances that a message names."""


class SegmentsCorpus:
    """Reads audio files and their segments, and computes features on all cores.

    The label of a frame is the segment that contains the centre of its analysis window; frames
    that no segment contains get the label of data.gap_phone. The id of an utterance is the path
    of its audio file under data.audio.

    Attributes:
        parts_folder: where to keep features computed so far, so that an interrupted preparation
            can continue; None for a temporary folder.

    Raises:
        ConfigError: a key breaks its rule.
        DataError: files are missing or ambiguous, or too many audio files lack segments.
    """

    name = "segments"
    parts_folder: Path | None = None

    def __init__(self, config: SegmentsConfig) -> None:
        self._config = config
        validate_share("data.max_missing", config.max_missing)
        for key in ("sample_rate", "workers"):
            if (value := getattr(config, key)) is not None and value < 1:
                raise ConfigError(f"data.{key}", "must be at least 1", found=value)
        self._splits = {
            split: _skip_unsegmented(config, split, utterances)[: config.max_utterances]
            for split, utterances in list_splits(config).items()
        }

    def source_key(self) -> dict[str, Any]:
        """Return a digest of all files' stamps, and every setting that changes the content."""
        # Keys that all corpora share act on the prepared corpus; the number of workers changes
        # nothing.
        shared = {field.name for field in fields(DataConfig)} - {"root", "max_utterances"}
        settings = {
            field.name: getattr(self._config, field.name)
            for field in fields(self._config)
            if field.name not in shared | {"workers"}
        }
        phones = None if self._config.phones is None else Path(self._config.phones)
        digest = hashlib.blake2b(str(stamp_files([phones])).encode(), digest_size=16)
        for split, utterances in self._splits.items():
            for files in utterances:
                stamps = sorted(stamp_files([files.audio, files.segments]).items())
                digest.update(f"{split} {files.id} {stamps}\n".encode())
        return {"settings": settings, "files": digest.hexdigest()}

    def splits(self) -> tuple[str, ...]:
        """Return train, dev, and test if it is present."""
        return tuple(self._splits)

    def num_utterances(self, split: str) -> int:
        """Return the number of audio files in the split, without those that are skipped."""
        return len(self._splits[split])

    def utterances(self, split: str) -> Iterator[Utterance]:
        """Yield the utterances sorted by id; other processes compute them in advance."""
        utterances = self._splits[split]
        frames = compute_in_parallel(
            partial(analyse, config=self._config, ids=self._labelling.ids),
            utterances,
            folder=self.parts_folder,
            name=split,
            workers=self._config.workers,
        )
        for files, (features, labels) in zip(utterances, frames, strict=True):
            yield Utterance(files.id, features, labels, files.speaker)

    def phone_set(self, num_classes: int) -> PhoneSet:
        """Return the phones in data.phones, else all of the corpus, sorted; after data.fold."""
        return self._labelling.phones

    def find_problems(self) -> list[str]:
        """Describe where segments and audio disagree, one line per utterance."""
        problems = []
        for split, utterances in self._splits.items():
            for files in track(utterances, f"Checking {split}", len(utterances)):
                if files.segments is not None:
                    rate, seconds = read_audio_info(files.audio)
                    segments = _read(self._config, files, files.segments, rate)
                    if mismatch := _describe_mismatch(segments, seconds):
                        problems.append(f"{split} {files.id}: {mismatch}")
        return problems

    @cached_property
    def _labelling(self) -> Labelling:
        """The labelling by the names in all segment files, which are read for this."""
        config = self._config
        names: dict[str, Path] = {}
        labelled = [
            (u, u.segments) for split in self._splits.values() for u in split if u.segments
        ]
        for files, path in track(labelled, "Collecting phones", len(labelled)):
            phones = _read(config, files, path, config.sample_rate).phones
            names |= dict.fromkeys(set(phones) - names.keys() - {""}, path)
            # A tier of words instead of phones would otherwise only be noticed much later.
            if len(names) > MAX_CLASSES:
                rule = f"a corpus must have at most {MAX_CLASSES:,} phones"
                fix = "Check data.tier and data.format."
                raise DataError(path, rule, found=phones[0], fix=fix)
        listed = None if config.phones is None else read_phones(Path(config.phones))
        gap = None if config.gap_phone is None else normalize_name(config.gap_phone)
        return build_labelling(names, listed, gap, config.fold)


def analyse(
    files: UtteranceFiles, config: SegmentsConfig, ids: Mapping[str, int]
) -> tuple[Array, Array | None]:
    """Return the (T, D) float32 features and (T,) int16 labels, or None, of one utterance.

    Raises:
        DataError: a file is unreadable, the audio is shorter than one analysis window, or the
            segments do not fit the audio.
    """
    samples, own_rate = read_audio(files.audio, config.sample_rate)
    features = mel_features(samples, config.sample_rate, config)
    if len(features) == 0:
        rule = f"must be at least as long as one analysis window, {config.window_ms} ms"
        raise DataError(files.audio, rule, fix="Exclude it with data.exclude.")
    if files.segments is None:
        return features, None
    # A .phn file counts samples of the original audio, before it was resampled.
    segments = _read(config, files, files.segments, own_rate)
    _require_fit(segments, len(samples) / config.sample_rate, files.segments)
    centres = frame_centres(len(features), config.sample_rate, config) / config.sample_rate
    # The label of gaps comes last, where the index -1 finds it.
    labels = np.array([ids[name] for name in (*segments.phones, "")], dtype=np.int16)
    return features, labels[segments.at(centres)]


def _require_fit(segments: Segments, seconds: float, path: Path) -> None:
    """Raise DataError if the segments in `path` do not fit audio of this duration."""
    end = segments.ends[-1]
    if end > seconds + MAX_OVERRUN:
        raise DataError(
            path, f"must end with its audio, at {seconds:.3f} s", found=f"{end:.3f} s"
        )
    if end < MIN_COVERAGE * seconds:
        raise DataError(
            path,
            f"must extend beyond the first {MIN_COVERAGE:.1%} of its audio, {seconds:.3f} s",
            found=f"{end:.6f} s",
            fix="The times are in another unit: set data.format.",
        )


def _read(
    config: SegmentsConfig, files: UtteranceFiles, path: Path, sample_rate: int
) -> Segments:
    segments = read_segments(path, config.format, config.tier, sample_rate, files.part)
    # One phone may be spelled in two Unicode forms, and would become two classes.
    return replace(segments, phones=tuple(map(normalize_name, segments.phones)))


def _skip_unsegmented(
    config: SegmentsConfig, split: str, utterances: list[UtteranceFiles]
) -> list[UtteranceFiles]:
    """Return the utterances that have segments; or all of test if none has."""
    unsegmented = [files.id for files in utterances if files.segments is None]
    if not unsegmented or (split == "test" and len(unsegmented) == len(utterances)):
        return utterances
    counts = f"{len(unsegmented)} of {len(utterances)}"
    examples = ", ".join(unsegmented[:MAX_EXAMPLES])
    if len(unsegmented) > config.max_missing * len(utterances):
        rule = (
            f"at most {config.max_missing:.0%} of the audio files in {split} may lack segments"
        )
        fix = describe_label_files(config, set(unsegmented))
        raise DataError("data.max_missing", rule, found=f"{counts}: {examples}", fix=fix)
    log.warning("%s: skipping %s audio files without segments: %s", split, counts, examples)
    return [files for files in utterances if files.segments is not None]


def _describe_mismatch(segments: Segments, seconds: float) -> str:
    """Describe a disagreement between segments and audio; "" if there is none."""
    end = segments.ends[-1]
    if end > seconds + MAX_OVERRUN:
        return f"segments end at {end:.2f} s, the audio at {seconds:.2f} s"
    covered = float((segments.ends - segments.starts).sum())
    if covered < seconds / 2:
        return f"segments cover {covered:.2f} s of {seconds:.2f} s"
    return ""
