"""Finds the audio file and the segment file of each utterance."""

import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from framesweep.config import SegmentsConfig
from framesweep.data.formats import audio
from framesweep.data.formats.kaldi import ArrayLocation, read_index
from framesweep.data.formats.master_files import Part, has_utterance_column, index_master_file
from framesweep.data.formats.names import normalize_name
from framesweep.data.formats.segments import SUFFIXES
from framesweep.data.formats.stored_features import index_archive
from framesweep.data.readers.segments_folders import (
    FEATURE_SUFFIXES,
    MASTERS_OF_FORMAT,
    OTHER_SUFFIXES_OF_FORMAT,
    SUFFIXES_OF_FORMAT,
    list_files,
)
from framesweep.data.readers.segments_masters import match_master_files
from framesweep.errors import ConfigError, DataError

log = logging.getLogger(__name__)

MAX_EXAMPLES = 5
"""Largest number of utterances that a message names."""


@dataclass(frozen=True, slots=True)
class UtteranceFiles:
    """The files of one utterance.

    Attributes:
        id: the path of the audio file under data.audio, without its suffix. If data.audio has
            wildcards, what they matched comes first.
        audio: the audio file.
        segments: the segment file, or None.
        speaker: what data.speaker finds in the id; "" if it finds nothing or is not set.
        part: the part of a segment file of many utterances; None for all of the file.
        location: the matrix of features in a Kaldi archive, `audio`; None for other files.
    """

    id: str
    audio: Path
    segments: Path | None
    speaker: str
    part: Part | None = None
    location: ArrayLocation | None = None


def list_utterances(config: SegmentsConfig, root: Path) -> list[UtteranceFiles]:
    """Return all utterances under `root`, sorted by id.

    Raises:
        ConfigError: a key breaks its rule.
        DataError: files are missing or ambiguous, or no audio file has segments.
    """
    exclude = _compile("data.exclude", config.exclude)
    speaker = _compile("data.speaker", config.speaker)
    kinds = FEATURE_SUFFIXES.get(config.features, audio.SUFFIXES)
    if config.features == "ark":
        archives = _list_archives(config, root, exclude)
        audio_files = {id: location.file for id, location in archives.items()}
    else:
        archives = {}
        audio_files = _list_by_id(root, "audio", config.audio, kinds, exclude)
        if not config.has_stored_features:
            audio_files = prefer_originals(audio_files)
    suffixes = SUFFIXES_OF_FORMAT.get(config.format, SUFFIXES)
    segments = _list_by_id(root, "segments", config.segments, suffixes, exclude)
    if others := () if segments else OTHER_SUFFIXES_OF_FORMAT.get(config.format, ()):
        segments = _list_by_id(root, "segments", config.segments, others, exclude)
    if not audio_files:
        what = "features" if config.has_stored_features else "audio files"
        rule = f"must contain {what}: {', '.join(kinds)}"
        fix = "data.exclude may exclude too much." if exclude else ""
        raise DataError(root / config.audio, rule, fix=fix)
    labels = _find_labels(config, root, segments, audio_files.keys())
    return [
        UtteranceFiles(id, path, file, _find_speaker(speaker, id), part, archives.get(id))
        for id, path in sorted(audio_files.items())
        for file, part in [labels.get(id, (None, None))]
    ]


def _find_labels(
    config: SegmentsConfig, root: Path, segments: dict[str, Path], ids: Collection[str]
) -> Mapping[str, tuple[Path, Part | None]]:
    """Return the segment file of each utterance, and its part of a file of many."""
    if segments.keys() & ids:
        _warn_of_missing_audio(config, segments.keys() - ids, len(segments))
        return {id: (path, None) for id, path in segments.items()}
    suffix = MASTERS_OF_FORMAT.get(config.format)
    masters = [path for _, path in list_files(root, "segments", config.segments)]
    masters = [path for path in masters if path.suffix.lower() == suffix]
    if suffix == ".csv" and len(masters) > 1:  # most are of one utterance
        masters = [path for path in masters if has_utterance_column(path)]
    labels = match_master_files(masters, ids)
    if (segments or masters) and not labels:
        raise DataError(
            "data.segments",
            f"must have the same folders and names as data.audio, such as {min(ids)!r}",
            found=_first_entry(masters[0]) if masters else min(segments),
            fix="data.audio and data.segments may be folders with wildcards, such as '*/wav'.",
        )
    return labels


def _warn_of_missing_audio(config: SegmentsConfig, ids: Collection[str], total: int) -> None:
    """Say which segment files label nothing: their audio may be missing or of another kind."""
    if ids:
        what = "features" if config.has_stored_features else "audio"
        kinds = ", ".join(FEATURE_SUFFIXES.get(config.features, audio.SUFFIXES))
        examples = ", ".join(sorted(ids)[:MAX_EXAMPLES])
        rule = "skipping %d of %d segment files without %s (%s): %s"
        log.warning(rule, len(ids), total, what, kinds, examples)


def _first_entry(path: Path) -> str:
    """Return the first name in a file of many utterances, and the file."""
    return f"{next(iter(index_master_file(path)), 'nothing')} in {path}"


def _list_by_id(
    root: Path,
    key: str,
    name: str,
    suffixes: tuple[str, ...],
    exclude: re.Pattern[str] | None,
) -> dict[str, Path]:
    """Return the files with these suffixes in the folders that `data.<key>` names, by id."""
    found: dict[str, Path] = {}
    for relative, path in list_files(root, key, name):
        excluded = exclude and exclude.search(normalize_name(relative.as_posix()))
        if path.suffix.lower() not in suffixes or excluded:
            continue
        validate_encoding(path)
        id = normalize_name(relative.as_posix().removesuffix(path.suffix))
        if id in found:
            rule = f"must be the only file of its utterance; {found[id].name} is another"
            fix = "Leave one of them out with data.exclude."
            if key == "segments":
                fix = "Set data.format or data.exclude."
            raise DataError(path, rule, fix=fix)
        found[id] = path
    return found


def _list_archives(
    config: SegmentsConfig, root: Path, exclude: re.Pattern[str] | None
) -> dict[str, ArrayLocation]:
    """Return the matrices in all Kaldi archives by id, from .scp files if there are any."""
    files = [path for _, path in list_files(root, "audio", config.audio)]
    indices = [path for path in files if path.suffix.lower() == ".scp"]
    found: dict[str, ArrayLocation] = {}
    for path in sorted(indices or (p for p in files if p.suffix.lower() == ".ark")):
        for id, location in (
            read_index(path, root) if indices else index_archive(path)
        ).items():
            if exclude is None or not exclude.search(id):
                if id in found:
                    raise DataError(path, "must not repeat an utterance", found=id[:80])
                found[id] = location
    return found


def validate_encoding(path: Path) -> None:
    """Raise DataError if a file name is not UTF-8: its id could not be stored as JSON."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        rule = "file names must be UTF-8"
        raise DataError(
            ascii(str(path)), rule, fix="Rename it, for instance with convmv."
        ) from None


def prefer_originals(files: dict[str, Path]) -> dict[str, Path]:
    """Return audio files by the id of the file that they were converted from.

    Copies of TIMIT often have converted files, `SX1.WAV.wav`, next to the originals, `SX1.WAV`.
    The original is used where both exist.
    """
    originals: dict[str, Path] = {}
    # Sorted, the shorter id of the original comes first.
    for id, path in sorted(files.items()):
        stem, dot, suffix = id.rpartition(".")
        is_converted = dot + suffix.lower() in audio.SUFFIXES
        originals.setdefault(stem if is_converted else id, path)
    return originals


def _compile(key: str, pattern: str | None) -> re.Pattern[str] | None:
    try:
        return None if pattern is None else re.compile(normalize_name(pattern))
    except re.error as error:
        rule = f"must be a regular expression ({error})"
        raise ConfigError(key, rule, found=pattern) from None


def _find_speaker(pattern: re.Pattern[str] | None, id: str) -> str:
    """Return what `pattern` matches in `id`: its first group, or all if it has no groups."""
    match = None if pattern is None else pattern.search(id)
    if match is None:
        return ""
    return str((match.group(1) if match.re.groups else match.group()) or "")
