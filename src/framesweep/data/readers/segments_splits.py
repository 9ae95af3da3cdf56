"""In which split each utterance of sound and segments is."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

from framesweep.config import SegmentsConfig
from framesweep.data.corpus import SPLITS
from framesweep.data.formats import audio
from framesweep.data.readers.segments_files import Source, list_sources
from framesweep.data.readers.source_files import inside, open_root
from framesweep.errors import ConfigError, DataError

WITHOUT_FOLDERS = "data.split=utterances needs no folders."


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
    for members in splits.values():
        _check_speakers(config, members)
    for name, members in splits.items():
        if not members:
            raise DataError(f"data.split={config.split}", f"{name} must hold an utterance")
    _check_disjoint(splits)
    return {name: splits[name] for name in SPLITS if name in splits}


def _by_folder(config: SegmentsConfig, sources: list[Source]) -> dict[str, list[Source]]:
    splits = {"train": _under(sources, config.train)}
    if not splits["train"]:
        raise _no_folder(config, "train", WITHOUT_FOLDERS)
    if config.dev is None:
        splits |= _by_share(config, splits["train"], ("train", "dev"))
    else:
        splits["dev"] = _in_folder(config, sources, "dev", config.dev_speakers)
        if not splits["dev"]:
            raise _no_folder(config, "dev", "data.dev=null takes a share of train.")
    if config.test is not None:
        test = _in_folder(config, sources, "test", config.test_speakers)
        asked = config.test != _default("test") or config.test_speakers is not None
        if asked and not test:
            raise _no_folder(config, "test", "data.test=null is for none.")
        splits |= {"test": test} if test else {}
    return splits


def _in_folder(
    config: SegmentsConfig, sources: list[Source], split: str, speakers: list[str] | None
) -> list[Source]:
    """The utterances in the folder of dev or test, of certain speakers where they are named."""
    members = _under(sources, getattr(config, split))
    if speakers is None:
        return members
    if config.speaker is None:
        raise ConfigError("data.speaker", f"must be given with data.{split}_speakers")
    wanted = {speaker.lower() for speaker in speakers}
    chosen = [source for source in members if source.speaker.lower() in wanted]
    if members and not chosen:
        raise DataError(
            f"data.{split}_speakers",
            f"must be speakers of data.{split}, as {members[0].speaker!r}",
            found=speakers[:5],
        )
    return chosen


def _under(sources: list[Source], folder: str) -> list[Source]:
    if folder.strip("/") in ("", "."):
        return sources
    prefix = folder.strip("/").lower() + "/"
    return [source for source in sources if source.id.lower().startswith(prefix)]


def _no_folder(config: SegmentsConfig, split: str, fix: str) -> DataError:
    return DataError(
        f"data.{split}",
        f"must be a folder under {config.audio or 'data.root'} that holds sound",
        found=getattr(config, split),
        fix=fix,
    )


def _default(key: str) -> object:
    """What `key` is where nobody has set it."""
    return next(field.default for field in fields(SegmentsConfig) if field.name == key)


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
        fix = "" if name == "train" else f"data.{name}=null is for none."
        members: dict[str, Source] = {}
        for entry in _entries(path, fix):
            if entry not in by_name:
                raise DataError(path, "must list utterances under data.audio", found=entry)
            members |= {source.id: source for source in by_name[entry]}
        splits[name] = sorted(members.values(), key=lambda source: source.id)
    if "dev" not in splits:
        splits |= _by_share(config, splits["train"], ("train", "dev"))
    return splits


def _entries(path: Path, fix: str) -> Iterator[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        rule = f"must be a readable list of utterances ({reason})"
        raise DataError(path, rule, fix=fix) from None
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


def _check_speakers(config: SegmentsConfig, members: list[Source]) -> None:
    """Raises DataError where data.speaker finds nobody in an utterance of a split."""
    nobody = [source.id for source in members if not source.speaker]
    if config.speaker is not None and nobody:
        raise DataError(
            "data.speaker",
            f"must find a speaker in {nobody[0]!r}",
            found=config.speaker,
            fix="Or leave it out with data.exclude.",
        )


def _check_disjoint(splits: dict[str, list[Source]]) -> None:
    """Raises DataError where an utterance or a known speaker is in two splits."""
    seen: dict[str, str] = {}
    for name, members in splits.items():
        for key in {source.speaker or source.id for source in members}:
            if seen.setdefault(key, name) != name:
                raise DataError(f"data.{name}", f"must not share {key!r} with {seen[key]}")
