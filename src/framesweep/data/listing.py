"""Which utterances a folder of sound and segments holds, and in which split each is."""

import hashlib
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from framesweep.config import SegmentsConfig
from framesweep.data import audio, segment_formats
from framesweep.data.corpus import SPLITS
from framesweep.data.sources import inside, open_root
from framesweep.errors import ConfigError, DataError

SUFFIX_OF_FORMAT = {"phn": ".phn", "xlabel": ".lab", "htk": ".lab", "textgrid": ".textgrid"}


@dataclass(frozen=True, slots=True)
class Source:
    """The files of one utterance; its id is the sound's path under data.audio, bare of suffix.

    `segments` is None where the sound has none; `speaker` is empty where none is asked for.
    """

    id: str
    sound: Path
    segments: Path | None
    speaker: str


def list_splits(config: SegmentsConfig) -> dict[str, list[Source]]:
    """The utterances of each split, sorted by id, with those that have no segments.

    Raises:
        ConfigError: a key breaks its rule.
        DataError: files are missing or ambiguous, a split is empty, or two share a speaker.
    """
    root = open_root(config.root)
    sources = list_sources(config, root)
    if config.split == "folders":
        splits = _by_folder(config, sources)
    elif config.split == "lists":
        splits = _by_list(config, root, sources)
    else:
        splits = _by_share(config, sources, ("train", "dev", "test"))
    for name, members in splits.items():
        if not members:
            raise DataError(f"data.split={config.split}", f"{name} must hold an utterance")
    _check_disjoint(splits)
    return {name: splits[name] for name in SPLITS if name in splits}


def list_sources(config: SegmentsConfig, root: Path) -> list[Source]:
    """All utterances under `root`, sorted by id."""
    exclude = _pattern("data.exclude", config.exclude)
    speaker = _pattern("data.speaker", config.speaker)
    sounds = _by_id(_folder(root, config.audio, "data.audio"), audio.SUFFIXES, exclude)
    of_format = SUFFIX_OF_FORMAT.get(config.format)
    suffixes = segment_formats.SUFFIXES if of_format is None else (of_format,)
    segments = _by_id(_folder(root, config.segments, "data.segments"), suffixes, exclude)
    if not sounds:
        raise DataError(root / config.audio, f"must hold sound: {', '.join(audio.SUFFIXES)}")
    return [
        Source(id, path, segments.get(id), _speaker(speaker, id))
        for id, path in sorted(sounds.items())
    ]


def _folder(root: Path, name: str, key: str) -> Path:
    folder = inside(root, name, key) if name else root
    if not folder.is_dir():
        raise DataError(key, "must be a folder that exists", found=str(folder))
    return folder


def _pattern(key: str, pattern: str | None) -> re.Pattern[str] | None:
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        rule = f"must be a regular expression ({error})"
        raise ConfigError(key, rule, found=pattern) from None


def _by_id(
    folder: Path, suffixes: tuple[str, ...], exclude: re.Pattern[str] | None
) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() not in suffixes or (exclude and exclude.search(name)):
            continue
        id = name.removesuffix(path.suffix)
        if id in found:
            rule = f"must not stand beside {found[id].name}, of the same utterance"
            raise DataError(path, rule, fix="Set data.format or data.exclude.")
        found[id] = path
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(folder, followlinks=True):
        yield from (Path(directory, name) for name in names if not name.startswith("."))


def _speaker(pattern: re.Pattern[str] | None, id: str) -> str:
    if pattern is None:
        return ""
    match = pattern.search(id)
    if match is None:
        raise DataError("data.speaker", f"must find a speaker in {id!r}", found=pattern.pattern)
    found = match.group(1) if pattern.groups else match.group()
    return str(found or "")


def _by_folder(config: SegmentsConfig, sources: list[Source]) -> dict[str, list[Source]]:
    splits = {"train": _under(sources, config.train)}
    if config.dev is None:
        splits |= _by_share(config, splits["train"], ("train", "dev"))
    else:
        splits["dev"] = _of_speakers(_under(sources, config.dev), config.dev_speakers)
    for name, folder in (("train", config.train), ("dev", config.dev)):
        if not splits[name]:
            raise DataError(
                f"data.{name}",
                f"must be a folder under {config.audio or 'data.root'} that holds sound",
                found=folder,
                fix="data.dev=null takes a share of train." if name == "dev" else "",
            )
    test = _of_speakers(_under(sources, config.test), config.test_speakers)
    return splits | ({"test": test} if test else {})


def _under(sources: list[Source], folder: str | None) -> list[Source]:
    if folder is None:
        return []
    prefix = folder.strip("/").lower() + "/"
    return [source for source in sources if source.id.lower().startswith(prefix)]


def _of_speakers(sources: list[Source], speakers: list[str] | None) -> list[Source]:
    if speakers is None:
        return sources
    wanted = {speaker.lower() for speaker in speakers}
    return [source for source in sources if source.speaker.lower() in wanted]


def _by_list(
    config: SegmentsConfig, root: Path, sources: list[Source]
) -> dict[str, list[Source]]:
    by_name = {source.id: [source] for source in sources}
    for source in sources:
        for parent in list(Path(source.id).parents)[:-1]:
            by_name.setdefault(parent.as_posix(), []).append(source)
    splits: dict[str, list[Source]] = {}
    for name, file in (("train", config.train), ("dev", config.dev), ("test", config.test)):
        if file is None:
            continue
        path = inside(root, file, f"data.{name}")
        members: dict[str, Source] = {}
        for entry in _entries(path):
            if entry not in by_name:
                raise DataError(path, "must list utterances under data.audio", found=entry)
            members |= {source.id: source for source in by_name[entry]}
        splits[name] = sorted(members.values(), key=lambda source: source.id)
    if "dev" not in splits:
        splits |= _by_share(config, splits["train"], ("train", "dev"))
    return splits


def _entries(path: Path) -> Iterator[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, f"must be a readable list of utterances ({error})") from None
    for line in lines:
        entry = line.split("#")[0].strip().rstrip("/")
        suffix = Path(entry).suffix
        if entry:
            yield entry.removesuffix(suffix) if suffix.lower() in audio.SUFFIXES else entry


def _by_share(
    config: SegmentsConfig, sources: list[Source], names: tuple[str, ...]
) -> dict[str, list[Source]]:
    """Splits by shares: whole speakers where they are known or asked for, else utterances."""
    dev, test = config.dev_share, config.test_share if "test" in names else 0.0
    for key, share in (("dev_share", dev), ("test_share", test)):
        if not 0 <= share < 1:
            raise ConfigError(f"data.{key}", "must be at least 0 and below 1", found=share)
    if config.split == "speakers" and config.speaker is None:
        raise ConfigError("data.speaker", "must be given with data.split=speakers")
    if config.speaker is not None and config.split != "utterances":
        chosen = _speakers_apart([source.speaker for source in sources], dev, test)
        keys = [chosen[source.speaker] for source in sources]
    else:
        keys = [_place(i, dev, test) for i in range(len(sources))]
    wanted = [name for name in names if name != "test" or test > 0]
    return {
        name: [source for source, key in zip(sources, keys, strict=True) if key == name]
        for name in wanted
    }


def _place(index: int, dev: float, test: float) -> str:
    """The split of an utterance: test and dev are spread evenly, dev one before test.

    With shares of 0.1, dev is every tenth from the ninth and test every tenth from the tenth.
    """

    def reached(share: float, ahead: int) -> bool:
        exact = Fraction(share).limit_denominator(10_000)
        return math.floor((index + ahead) * exact) > math.floor((index + ahead - 1) * exact)

    if reached(test, 1):
        return "test"
    return "dev" if reached(dev, 2 if test > 0 else 1) else "train"


def _speakers_apart(speakers: list[str], dev: float, test: float) -> dict[str, str]:
    """The split of each speaker: at least one in each, in an order that looks random."""
    names = sorted(set(speakers), key=lambda name: hashlib.blake2b(name.encode()).digest())
    num_test = max(1, round(len(names) * test)) if test > 0 else 0
    num_dev = max(1, round(len(names) * dev))
    splits = dict.fromkeys(names, "train")
    splits |= dict.fromkeys(names[:num_test], "test")
    splits |= dict.fromkeys(names[num_test : num_test + num_dev], "dev")
    return splits


def _check_disjoint(splits: dict[str, list[Source]]) -> None:
    """Raises DataError where an utterance or a known speaker is in two splits."""
    seen: dict[str, str] = {}
    for name, members in splits.items():
        for key in {source.speaker or source.id for source in members}:
            if seen.setdefault(key, name) != name:
                raise DataError(f"data.{name}", f"must not share {key!r} with {seen[key]}")
