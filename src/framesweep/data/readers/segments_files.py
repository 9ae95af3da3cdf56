"""Which utterances folders of sound and segments hold."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from framesweep.config import SegmentsConfig
from framesweep.data.formats import audio
from framesweep.data.formats.segments import SUFFIXES
from framesweep.data.readers.source_files import inside
from framesweep.errors import ConfigError, DataError

SUFFIXES_OF_FORMAT = {
    "phn": (".phn",),
    "xlabel": (".lab",),
    "htk": (".lab",),
    "seconds": (".lab", ".txt"),
    "textgrid": (".textgrid",),
}


@dataclass(frozen=True, slots=True)
class Source:
    """The files of one utterance; its id is the sound's path under data.audio, bare of suffix.

    Where data.audio has wildcards the id is what they stood for and the path under them.
    `segments` is None where the sound has none; `speaker` is empty where none is asked for,
    or found.
    """

    id: str
    sound: Path
    segments: Path | None
    speaker: str


def list_sources(config: SegmentsConfig, root: Path) -> list[Source]:
    """All utterances under `root`, sorted by id.

    Raises:
        ConfigError: a key breaks its rule.
        DataError: files are missing or ambiguous, or no sound has segments.
    """
    exclude = _pattern("data.exclude", config.exclude)
    speaker = _pattern("data.speaker", config.speaker)
    sounds = _sounds(_by_id(root, "audio", config.audio, audio.SUFFIXES, exclude))
    suffixes = SUFFIXES_OF_FORMAT.get(config.format, SUFFIXES)
    segments = _by_id(root, "segments", config.segments, suffixes, exclude)
    if not sounds:
        rule = f"must hold sound: {', '.join(audio.SUFFIXES)}"
        fix = "data.exclude may leave out too much." if exclude else ""
        raise DataError(root / config.audio, rule, fix=fix)
    if segments and not sounds.keys() & segments.keys():
        raise DataError(
            "data.segments",
            f"must have the folders and names of data.audio, as {min(sounds)!r}",
            found=min(segments),
            fix="data.audio and data.segments may be folders with wildcards, as '*/wav'.",
        )
    return [
        Source(id, path, segments.get(id), _speaker(speaker, id))
        for id, path in sorted(sounds.items())
    ]


def _by_id(
    root: Path,
    key: str,
    name: str,
    suffixes: tuple[str, ...],
    exclude: re.Pattern[str] | None,
) -> dict[str, Path]:
    """The files with these suffixes in the folders that `data.<key>` names."""
    found: dict[str, Path] = {}
    for prefix, folder in _folders(root, name, f"data.{key}"):
        for path in _walk(folder):
            place = prefix / path.relative_to(folder)
            left_out = exclude and exclude.search(place.as_posix())
            if path.suffix.lower() not in suffixes or left_out:
                continue
            _check_name(path)
            id = place.as_posix().removesuffix(path.suffix)
            if id in found:
                rule = f"must not stand beside {found[id].name}, of the same utterance"
                raise DataError(path, rule, fix="Set data.format or data.exclude.")
            found[id] = path
    return found


def _folders(root: Path, name: str, key: str) -> list[tuple[Path, Path]]:
    """The folders that `name` matches, each after what its wildcards stand for."""
    pattern = inside(root, name, key) if name else root
    if pattern.is_dir():
        return [(Path(), pattern)]
    parts = pattern.relative_to(root).parts
    if "**" in parts:
        raise ConfigError(key, "must have a wildcard for each folder", found=name)
    wild = [i for i, part in enumerate(parts) if set(part) & set("*?[")]
    folders = [f for f in sorted(root.glob("/".join(parts))) if f.is_dir()] if wild else []
    if not folders:
        raise DataError(key, "must be a folder that exists", found=str(pattern))
    return [(Path(*(f.relative_to(root).parts[i] for i in wild)), f) for f in folders]


def _walk(folder: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(folder, followlinks=True):
        yield from (Path(directory, name) for name in names if not name.startswith("."))


def _check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        rule = "names of files must be UTF-8"
        raise DataError(ascii(str(path)), rule, fix="Rename it, as convmv does.") from None


def _sounds(found: dict[str, Path]) -> dict[str, Path]:
    """Without the second suffix of sound that has been converted, as `SX1.WAV.wav`.

    Where the sound that it was made from is there too, that one stays.
    """
    sounds: dict[str, Path] = {}
    for id, path in sorted(found.items()):
        bare, dot, suffix = id.rpartition(".")
        converted = dot + suffix.lower() in audio.SUFFIXES
        sounds.setdefault(bare if converted else id, path)
    return sounds


def _pattern(key: str, pattern: str | None) -> re.Pattern[str] | None:
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        rule = f"must be a regular expression ({error})"
        raise ConfigError(key, rule, found=pattern) from None


def _speaker(pattern: re.Pattern[str] | None, id: str) -> str:
    match = None if pattern is None else pattern.search(id)
    if match is None:
        return ""
    return str((match.group(1) if match.re.groups else match.group()) or "")
