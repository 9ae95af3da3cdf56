"""Assigns each utterance of audio and segments to a split."""

import hashlib
import math
import re
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

from framesweep.config import SegmentsConfig
from framesweep.data.corpus import SPLITS
from framesweep.data.formats.names import normalize_name
from framesweep.data.readers.segments_files import UtteranceFiles, list_utterances
from framesweep.data.readers.segments_folders import remove_suffix
from framesweep.data.readers.source_files import read_lines, resolve_inside, resolve_root
from framesweep.errors import ConfigError, DataError

_COMMENT = re.compile(r"(^|\s)#.*")

Splits = dict[str, list[UtteranceFiles]]


def list_splits(config: SegmentsConfig) -> Splits:
    """Return the utterances of each split, sorted by id, including those without segments.

    Raises:
        ConfigError: a key breaks its rule.
        DataError: files are missing or ambiguous, a split is empty, or splits share a speaker.
    """
    root = resolve_root(config.root)
    utterances = list_utterances(config, root)
    if config.split == "folders":
        splits = _split_by_folder(config, utterances)
    elif config.split == "lists":
        splits = _split_by_list(config, root, utterances)
    else:
        splits = _split_by_share(config, utterances, ("train", "dev", "test"))
    for members in splits.values():
        _require_speakers(config, members)
    _require_members(config, splits)
    _require_disjoint(splits)
    return {name: splits[name] for name in SPLITS if name in splits}


def _split_by_folder(config: SegmentsConfig, utterances: list[UtteranceFiles]) -> Splits:
    splits = {"train": _select_under(utterances, config.train)}
    if not splits["train"]:
        raise _missing_folder(config, "train", "data.split=utterances needs no folders.")
    if config.dev is None:
        splits |= _split_by_share(config, splits["train"], ("train", "dev"))
    else:
        splits["dev"] = _select(config, utterances, "dev", config.dev_speakers)
        if not splits["dev"]:
            raise _missing_folder(config, "dev", "data.dev=null takes a share of train.")
    if config.test is not None:
        test = _select(config, utterances, "test", config.test_speakers)
        # A corpus may lack a test folder, but not one that somebody asked for.
        requested = config.test != _default("test") or config.test_speakers is not None
        if requested and not test:
            raise _missing_folder(config, "test", "data.test=null means no test split.")
        splits |= {"test": test} if test else {}
    return splits


def _select(
    config: SegmentsConfig,
    utterances: list[UtteranceFiles],
    split: str,
    speakers: list[str] | None,
) -> list[UtteranceFiles]:
    """Return the utterances in the folder of dev or test, only those of `speakers` if given."""
    members = _select_under(utterances, getattr(config, split))
    if speakers is None:
        return members
    if config.speaker is None:
        raise ConfigError("data.speaker", f"must be set together with data.{split}_speakers")
    _require_speakers(config, members)
    # Copies of TIMIT spell its folders in upper or in lower case.
    wanted = {normalize_name(speaker).lower() for speaker in speakers}
    selected = [utterance for utterance in members if utterance.speaker.lower() in wanted]
    if members and not selected:
        raise DataError(
            f"data.{split}_speakers",
            f"must be speakers in data.{split}, such as {members[0].speaker!r}",
            found=speakers[:5],
        )
    return selected


def _select_under(utterances: list[UtteranceFiles], folder: str) -> list[UtteranceFiles]:
    if folder.strip("/") in ("", "."):
        return utterances
    prefix = normalize_name(folder).strip("/").lower() + "/"
    return [utterance for utterance in utterances if utterance.id.lower().startswith(prefix)]


def _missing_folder(config: SegmentsConfig, split: str, fix: str) -> DataError:
    return DataError(
        f"data.{split}",
        f"must be a folder with audio files in {config.audio or 'data.root'}",
        found=getattr(config, split),
        fix=fix,
    )


def _default(key: str) -> object:
    """Return the default of a key."""
    return next(field.default for field in fields(SegmentsConfig) if field.name == key)


def _split_by_list(
    config: SegmentsConfig, root: Path, utterances: list[UtteranceFiles]
) -> Splits:
    # A list may name utterances and folders of utterances.
    by_name = {utterance.id: [utterance] for utterance in utterances}
    for utterance in utterances:
        for parent in list(Path(utterance.id).parents)[:-1]:
            by_name.setdefault(parent.as_posix(), []).append(utterance)
    splits: Splits = {}
    for name, file in (("train", config.train), ("dev", config.dev), ("test", config.test)):
        if file is None:
            continue
        path = resolve_inside(root, file, f"data.{name}")
        fix = "" if name == "train" else f"data.{name}=null means no list."
        members: dict[str, UtteranceFiles] = {}
        for line in map(normalize_name, read_lines(path, fix)):
            # A name may contain the sign that begins comments.
            readings = _read_entry(line) + _read_entry(_COMMENT.sub("", line))
            entry = next((one for one in readings if one in by_name), readings[-1])
            if entry and entry not in by_name:
                rule = f"must list utterances in data.audio, such as {utterances[0].id!r}"
                raise DataError(path, rule, found=entry)
            members |= {utterance.id: utterance for utterance in by_name.get(entry, ())}
        splits[name] = sorted(members.values(), key=lambda utterance: utterance.id)
    if "dev" not in splits:
        splits |= _split_by_share(config, splits["train"], ("train", "dev"))
    return splits


def _read_entry(text: str) -> list[str]:
    """Return what a line may name, an utterance or a folder: with its suffix, and without."""
    entry = text.strip().removeprefix("./").rstrip("/")
    return [entry, remove_suffix(entry)]


def _split_by_share(
    config: SegmentsConfig, utterances: list[UtteranceFiles], names: tuple[str, ...]
) -> Splits:
    """Split by data.dev_share and data.test_share: by speaker if they are known, else evenly.

    Args:
        names: the splits to make; without test, train and dev share everything.
    """
    dev, test = config.dev_share, config.test_share if "test" in names else 0.0
    if config.split == "speakers" and config.speaker is None:
        raise ConfigError("data.speaker", "must be set for data.split=speakers")
    if config.speaker is not None and config.split != "utterances":
        speakers = [utterance.speaker for utterance in utterances]
        split_of_speaker = _assign_speakers(speakers, dev, test)
        assigned = [split_of_speaker[speaker] for speaker in speakers]
    else:
        assigned = assign_evenly(len(utterances), dev, test)
    wanted = [name for name in names if name != "test" or test > 0]
    return {
        name: [u for u, split in zip(utterances, assigned, strict=True) if split == name]
        for name in wanted
    }


def assign_evenly(num_utterances: int, dev: float, test: float) -> list[str]:
    """Return the split of each utterance; dev and test are spread evenly.

    With shares of 0.1, dev gets the 9th, 19th, ... utterance and test the 10th, 20th, ... In
    general test gets an utterance whenever the running total of its share reaches another
    integer, and dev likewise, one utterance earlier. Where both are due, test gets the
    utterance and dev the next one that is not in test.
    """
    # As floats, ten shares of 0.1 add up to less than 1.
    dev_share, test_share = (Fraction(share).limit_denominator(10_000) for share in (dev, test))
    ahead = 2 if test > 0 else 1
    splits, num_dev = [], 0
    for index in range(num_utterances):
        if math.floor((index + 1) * test_share) > math.floor(index * test_share):
            splits.append("test")
        elif math.floor((index + ahead) * dev_share) > num_dev:
            splits.append("dev")
            num_dev += 1
        else:
            splits.append("train")
    return splits


def _assign_speakers(speakers: list[str], dev: float, test: float) -> dict[str, str]:
    """Return the split of each speaker; dev and test get at least one each.

    Speakers are ordered by a hash of their names: the order looks random, but depends neither
    on a seed nor on the order of the files.
    """
    names = sorted(set(speakers), key=lambda name: hashlib.blake2b(name.encode()).digest())
    num_test = max(1, round(len(names) * test)) if test > 0 else 0
    num_dev = max(1, round(len(names) * dev))
    splits = dict.fromkeys(names, "train")
    splits |= dict.fromkeys(names[:num_test], "test")
    splits |= dict.fromkeys(names[num_test : num_test + num_dev], "dev")
    return splits


def _require_members(config: SegmentsConfig, splits: Splits) -> None:
    """Raise DataError if a split is empty."""
    empty = next((name for name, members in splits.items() if not members), None)
    if empty is None:
        return
    utterances = [utterance for members in splits.values() for utterance in members]
    found, fix = f"{len(utterances)} utterances", ""
    speakers = {utterance.speaker for utterance in utterances} - {""}
    if config.split in ("speakers", "folders") and speakers:
        found += f"; speakers: {len(speakers)}"
        fix = "data.split=utterances divides those of a speaker as well."
    elif empty != "train" and config.split != "lists":
        fix = f"Raise data.{empty}_share, which is {getattr(config, f'{empty}_share'):g}."
    rule = f"{empty} must contain at least one utterance"
    raise DataError(f"data.split={config.split}", rule, found=found, fix=fix)


def _require_speakers(config: SegmentsConfig, members: list[UtteranceFiles]) -> None:
    """Raise DataError if data.speaker is set and finds no speaker in one of the utterances."""
    unknown = [utterance.id for utterance in members if not utterance.speaker]
    if config.speaker is not None and unknown:
        raise DataError(
            "data.speaker",
            f"must find a speaker in {unknown[0]!r}",
            found=config.speaker,
            fix="Or exclude the utterance with data.exclude.",
        )


def _require_disjoint(splits: Splits) -> None:
    """Raise DataError if an utterance or a known speaker is in two splits."""
    seen: dict[str, str] = {}
    for name, members in splits.items():
        # Without speakers, at least no utterance may be in two lists.
        for key in {utterance.speaker or utterance.id for utterance in members}:
            if seen.setdefault(key, name) != name:
                raise DataError(f"data.{name}", f"must not share {key!r} with {seen[key]}")
