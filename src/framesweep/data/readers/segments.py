"""Sound with phone segments beside it: TIMIT, Festival, HTK, Praat, Montreal Forced Aligner."""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from framesweep.config import DataConfig, SegmentsConfig
from framesweep.data.checks import MAX_CLASSES
from framesweep.data.corpus import Array, Utterance
from framesweep.data.features import FeatureOptions, frame_centres, mel_features
from framesweep.data.formats.audio import read_audio, read_audio_info
from framesweep.data.formats.segments import Segments, read_segments
from framesweep.data.phones import PhoneSet
from framesweep.data.readers.parallel import computed
from framesweep.data.readers.segments_files import Source
from framesweep.data.readers.segments_labels import Labelling, make_labelling
from framesweep.data.readers.segments_splits import list_splits
from framesweep.data.readers.source_files import check_share, read_phones, stamps
from framesweep.errors import ConfigError, DataError
from framesweep.system.progress_bars import track

log = logging.getLogger(__name__)

OVERRUN = 0.05
"""Seconds by which the last segment may outlast its sound: rounding of an aligner."""
SHORTEST = 0.002
"""Segments that end within so small a share of their sound are in another unit of time."""
NAMED = 5
"""Examples that a message names."""


class SegmentsCorpus:
    """Reads sound files and their segments, and computes features on all cores.

    A frame's label is the segment that holds the centre of its window; frames that none holds
    are labelled data.gap_phone. An utterance's id is its path under data.audio.

    Attributes:
        parts: folder for features computed so far, so that work cut short goes on; or None.

    Raises:
        ConfigError: a key breaks its rule.
        DataError: files are missing or ambiguous, or too many sound files lack segments.
    """

    name = "segments"
    parts: Path | None = None

    def __init__(self, config: SegmentsConfig) -> None:
        self._config = config
        feature_options(config).check()
        check_share("data.max_missing", config.max_missing)
        for key in ("sample_rate", "workers"):
            if (value := getattr(config, key)) is not None and value < 1:
                raise ConfigError(f"data.{key}", "must be 1 or more", found=value)
        self._splits = {
            split: _with_segments(config, split, sources)[: config.max_utterances]
            for split, sources in list_splits(config).items()
        }

    def source_key(self) -> dict[str, Any]:
        """A digest of all files' stamps, and every setting that changes what is read."""
        shared = {field.name for field in fields(DataConfig)} - {"root", "max_utterances"}
        settings = {
            field.name: getattr(self._config, field.name)
            for field in fields(self._config)
            if field.name not in shared | {"workers"}
        }
        phones = None if self._config.phones is None else Path(self._config.phones)
        digest = hashlib.blake2b(str(stamps([phones])).encode(), digest_size=16)
        for split, sources in self._splits.items():
            for source in sources:
                files = stamps([source.sound, source.segments])
                digest.update(f"{split} {source.id} {sorted(files.items())}\n".encode())
        return {"settings": settings, "files": digest.hexdigest()}

    def splits(self) -> tuple[str, ...]:
        """Train, dev, and test where it is there."""
        return tuple(self._splits)

    def num_utterances(self, split: str) -> int:
        """Sound files in the split, those without segments left out."""
        return len(self._splits[split])

    def utterances(self, split: str) -> Iterator[Utterance]:
        """The utterances sorted by id, analysed ahead by other processes."""
        sources = self._splits[split]
        analysed = computed(
            partial(analyse, config=self._config, ids=self._labelling.ids),
            sources,
            folder=self.parts,
            name=split,
            workers=self._config.workers,
        )
        for source, (features, labels) in zip(sources, analysed, strict=True):
            yield Utterance(source.id, features, labels, source.speaker)

    def phone_set(self, num_classes: int) -> PhoneSet:
        """The phones of data.phones, else all of the corpus, sorted; folded by data.fold."""
        return self._labelling.phones

    def notes(self) -> list[str]:
        """What looks wrong between sounds and segments, one line an utterance."""
        found = []
        for split, sources in self._splits.items():
            for source in track(sources, f"Looking at {split}", len(sources)):
                if source.segments is not None:
                    rate, seconds = read_audio_info(source.sound)
                    segments = _read(self._config, source.segments, rate)
                    if note := _mismatch(segments, seconds):
                        found.append(f"{split} {source.id}: {note}")
        return found

    @cached_property
    def _labelling(self) -> Labelling:
        """Reads all segment files for the names that they have."""
        config = self._config
        names: dict[str, Path] = {}
        files = [s.segments for sources in self._splits.values() for s in sources if s.segments]
        for path in track(files, "Collecting phones", len(files)):
            phones = _read(config, path, config.sample_rate).phones
            names |= dict.fromkeys(set(phones) - names.keys() - {""}, path)
            if len(names) > MAX_CLASSES:
                rule = f"a corpus must have at most {MAX_CLASSES:,} phones"
                raise DataError(path, rule, found=phones[0], fix="See data.tier, data.format.")
        listed = None if config.phones is None else read_phones(Path(config.phones))
        return make_labelling(names, listed, config.gap_phone, config.fold)


def feature_options(config: SegmentsConfig) -> FeatureOptions:
    """The options of the feature extraction among those of the corpus."""
    own = {field.name for field in fields(FeatureOptions)} & {
        field.name for field in fields(config)
    }
    return FeatureOptions(kind=config.features, **{name: getattr(config, name) for name in own})


def analyse(
    source: Source, config: SegmentsConfig, ids: Mapping[str, int]
) -> tuple[Array, Array | None]:
    """Features (T, D) float32 and labels (T,) int16, or None, of one utterance.

    Raises:
        DataError: a file cannot be read, the sound is shorter than a window, or the segments
            end after it.
    """
    samples, own_rate = read_audio(source.sound, config.sample_rate)
    options = feature_options(config)
    features = mel_features(samples, config.sample_rate, options)
    if len(features) == 0:
        rule = f"must be at least one window, {config.window_ms} ms, long"
        raise DataError(source.sound, rule, fix="Leave it out with data.exclude.")
    if source.segments is None:
        return features, None
    segments = _read(config, source.segments, own_rate)
    seconds = len(samples) / config.sample_rate
    if segments.ends[-1] > seconds + OVERRUN:
        raise DataError(
            source.segments,
            f"must end with its sound, at {seconds:.3f} s",
            found=f"{segments.ends[-1]:.3f} s",
        )
    if segments.ends[-1] < SHORTEST * seconds:
        raise DataError(
            source.segments,
            f"must reach beyond the first {SHORTEST:.1%} of its sound, {seconds:.3f} s",
            found=f"{segments.ends[-1]:.6f} s",
            fix="Times are in another unit: set data.format.",
        )
    centres = frame_centres(len(features), config.sample_rate, options) / config.sample_rate
    named = np.array([ids[name] for name in (*segments.phones, "")], dtype=np.int16)
    return features, named[segments.at(centres)]


def _read(config: SegmentsConfig, path: Path, sample_rate: int) -> Segments:
    return read_segments(path, config.format, config.tier, sample_rate)


def _with_segments(config: SegmentsConfig, split: str, sources: list[Source]) -> list[Source]:
    """The sources that have segments; all of test where none has."""
    lacking = [source.id for source in sources if source.segments is None]
    if not lacking or (split == "test" and len(lacking) == len(sources)):
        return sources
    message = f"{split}: {len(lacking)} of {len(sources)} sound files have no segments"
    named = ", ".join(lacking[:NAMED])
    if len(lacking) > config.max_missing * len(sources):
        rule = f"at most {config.max_missing:.0%} may lack segments; {message}: {named}"
        raise DataError("data.max_missing", rule)
    log.warning("%s and are left out: %s", message, named)
    return [source for source in sources if source.segments is not None]


def _mismatch(segments: Segments, seconds: float) -> str:
    """In words, where segments and sound disagree by more than a rounding; "" if nowhere."""
    end = segments.ends[-1]
    if end > seconds + OVERRUN:
        return f"segments end at {end:.2f} s, the sound at {seconds:.2f} s"
    covered = float((segments.ends - segments.starts).sum())
    if covered < seconds / 2:
        return f"segments cover {covered:.2f} s of {seconds:.2f} s"
    return ""
