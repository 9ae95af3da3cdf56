"""Finds the audio file and the segment file of each utterance."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from framesweep.config import SegmentsConfig
from framesweep.data.formats import audio
from framesweep.data.formats.master_files import Part
from framesweep.data.formats.names import normalize_name
from framesweep.data.formats.segments import SUFFIXES
from framesweep.data.readers.folder_walk import walk
from framesweep.data.readers.segments_masters import match_master_files
from framesweep.data.readers.source_files import resolve_inside, resolve_root
from framesweep.errors import ConfigError, DataError

SUFFIXES_OF_FORMAT = {
    "phn": (".phn",),
    "xlabel": (".lab", ".phones"),
    "htk": (".lab",),
    "mlf": (),
    "seconds": (".lab", ".txt"),
    "textgrid": (".textgrid",),
    "ctm": (".ctm",),
    "csv": (".csv",),
    "json": (".json",),
    "festival": (".utt",),
}
"""Suffixes of the files of one utterance that each format reads."""
MASTERS_OF_FORMAT = {"auto": ".mlf", "htk": ".mlf", "mlf": ".mlf", "ctm": ".ctm"}
"""Suffix of the files of many utterances. They are read where no file of one utterance is."""


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
    """

    id: str
    audio: Path
    segments: Path | None
    speaker: str
    part: Part | None = None


def list_utterances(config: SegmentsConfig, root: Path) -> list[UtteranceFiles]:
    """Return all utterances under `root`, sorted by id.

    Raises:
        ConfigError: a key breaks its rule.
        DataError: files are missing or ambiguous, or no audio file has segments.
    """
    exclude = _compile("data.exclude", config.exclude)
    speaker = _compile("data.speaker", config.speaker)
    audio_files = prefer_originals(
        _list_by_id(root, "audio", config.audio, audio.SUFFIXES, exclude)
    )
    suffixes = SUFFIXES_OF_FORMAT.get(config.format, SUFFIXES)
    segments = _list_by_id(root, "segments", config.segments, suffixes, exclude)
    if not audio_files:
        rule = f"must contain audio files: {', '.join(audio.SUFFIXES)}"
        fix = "data.exclude may exclude too much." if exclude else ""
        raise DataError(root / config.audio, rule, fix=fix)
    labels = _find_labels(config, root, segments, audio_files.keys())
    return [
        UtteranceFiles(id, path, file, _find_speaker(speaker, id), part)
        for id, path in sorted(audio_files.items())
        for file, part in [labels.get(id, (None, None))]
    ]


def _find_labels(
    config: SegmentsConfig, root: Path, segments: dict[str, Path], ids: Collection[str]
) -> Mapping[str, tuple[Path, Part | None]]:
    """Return the segment file of each utterance, and its part of a file of many."""
    if segments.keys() & ids:
        return {id: (path, None) for id, path in segments.items()}
    suffix = MASTERS_OF_FORMAT.get(config.format)
    masters = [path for _, path in _list_files(root, "segments", config.segments)]
    masters = [path for path in masters if path.suffix.lower() == suffix]
    labels = match_master_files(masters, ids)
    if (segments or masters) and not labels:
        raise DataError(
            "data.segments",
            f"must have the same folders and names as data.audio, such as {min(ids)!r}",
            found=min(segments, default=str(masters[0]) if masters else ""),
            fix="data.audio and data.segments may be folders with wildcards, such as '*/wav'.",
        )
    return labels


def describe_label_files(config: SegmentsConfig, ids: Collection[str]) -> str:
    """Return which files were looked for, and which others of the utterances `ids` there are.

    An error message adds this where segments are missing: the files may have a suffix that
    another data.format reads.
    """
    suffixes = SUFFIXES_OF_FORMAT.get(config.format, SUFFIXES)
    root = resolve_root(config.root)
    counts: Counter[str] = Counter()
    masters: Counter[str] = Counter()
    for relative, path in _list_files(root, "segments", config.segments):
        suffix = path.suffix.lower()
        if suffix and suffix not in (*suffixes, *audio.SUFFIXES):
            id = normalize_name(relative.as_posix().removesuffix(path.suffix))
            (counts if id in ids else masters)[suffix] += 1
    looked_for = sorted({*suffixes, MASTERS_OF_FORMAT.get(config.format, "")} - {""})
    text = f"Segments are files {', '.join(looked_for)}"
    # Files of many utterances are called otherwise, and matter only if a format reads them.
    readable = [suffix for suffix in masters if suffix in MASTERS_OF_FORMAT.values()]
    readable = [suffix for suffix in readable if suffix not in looked_for]
    for suffix, what in [
        *(
            (suffix, f"{n} of these utterances have a file")
            for suffix, n in counts.most_common(1)
        ),
        *((suffix, "there are files") for suffix in readable[:1]),
    ]:
        formats = [name for name, known in SUFFIXES_OF_FORMAT.items() if suffix in known]
        fix = f"data.format={formats[0]} reads them" if formats else "no format reads them"
        return f"{text}; {what} {suffix}: {fix}."
    return f"{text}."


def _list_by_id(
    root: Path,
    key: str,
    name: str,
    suffixes: tuple[str, ...],
    exclude: re.Pattern[str] | None,
) -> dict[str, Path]:
    """Return the files with these suffixes in the folders that `data.<key>` names, by id."""
    found: dict[str, Path] = {}
    for relative, path in _list_files(root, key, name):
        excluded = exclude and exclude.search(normalize_name(relative.as_posix()))
        if path.suffix.lower() not in suffixes or excluded:
            continue
        validate_encoding(path)
        id = normalize_name(relative.as_posix().removesuffix(path.suffix))
        if id in found:
            rule = f"must be the only file of its utterance; {found[id].name} is another"
            raise DataError(path, rule, fix="Set data.format or data.exclude.")
        found[id] = path
    return found


def _list_files(root: Path, key: str, name: str) -> Iterator[tuple[Path, Path]]:
    """Yield all files that `data.<key>` names, each after its path below the folder of the key.

    data.segments may also name one file, of many utterances.
    """
    if key == "segments" and name and (file := resolve_inside(root, name, key)).is_file():
        yield Path(file.name), file
        return
    for prefix, folder in _match_folders(root, name, f"data.{key}"):
        for path in walk(folder):
            yield prefix / path.relative_to(folder), path


def _match_folders(root: Path, name: str, key: str) -> list[tuple[Path, Path]]:
    """Return the folders that match the pattern `name`, each after what its wildcards matched.

    The matched parts become the start of the ids. data.audio='*/wav' and
    data.segments='*/textgrid' thus give one id to both files of an utterance.
    """
    pattern = resolve_inside(root, name, key) if name else root
    if pattern.is_dir():  # also a folder whose name contains a wildcard's character
        return [(Path(), pattern)]
    parts = pattern.relative_to(root).parts
    # ** matches any number of folders, so that it would be unclear which ones to compare.
    if "**" in parts:
        raise ConfigError(key, "must have one wildcard per folder, not **", found=name)
    wildcards = [i for i, part in enumerate(parts) if set(part) & set("*?[")]
    folders = [f for f in sorted(root.glob("/".join(parts))) if f.is_dir()] if wildcards else []
    if not folders:
        raise DataError(key, "must be an existing folder", found=str(pattern))
    return [(Path(*(f.relative_to(root).parts[i] for i in wildcards)), f) for f in folders]


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
