"""Assigns the entries of files of many utterances, .mlf, .ctm and .csv, to audio files."""

import logging
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from framesweep.data.formats.master_files import Part, index_master_file
from framesweep.errors import DataError

log = logging.getLogger(__name__)


def match_master_files(
    paths: Collection[Path], ids: Collection[str]
) -> dict[str, tuple[Path, Part]]:
    """Return the file and the part of it that labels each utterance.

    An entry names an utterance by its id, the last folders of its id, a path elsewhere or a
    pattern that ends with it (`*/a1.lab`), with or without a suffix, in upper or lower case,
    and with `_` for spaces, which NIST's .ctm cannot contain. Of several, the one that is
    spelled alike counts. Entries of other utterances are ignored. An entry in other folders
    than the only utterance of its name counts if the entries are all elsewhere.

    Args:
        paths: the .mlf, .ctm or .csv files.
        ids: the ids of the utterances that have audio.

    Raises:
        DataError: an entry may be one of several utterances, or an utterance has two entries.
    """
    by_name: dict[str, list[str]] = {}
    for id in ids:
        by_name.setdefault(_split(id)[-1], []).append(id)
    found: dict[str, _Labels] = {}
    elsewhere: list[tuple[str, _Labels]] = []
    share_folders = False
    for path in sorted(paths):
        for entry, part in index_master_file(path).items():
            named = _find_named(entry, by_name)
            agree = {id: _agree_in_folders(id, entry) for id in named}
            share_folders = share_folders or True in agree.values()
            fits = [id for id in named if agree[id] is not False]
            if len(fits) > 1:
                fits = [id for id in fits if _is_spelled(id, entry)] or fits
            if len(fits) > 1:
                rule = f"must name its utterances uniquely, as {fits[0]!r}"
                raise DataError(path, rule, found=entry[:80])
            if fits:
                _add(found, fits[0], _Labels(path, part, entry))
            elif len(named) == 1:
                elsewhere.append((named[0], _Labels(path, part, entry)))
    others = [(id, labels) for id, labels in elsewhere if id not in found]
    if others:
        _warn(*others[0], len(others), are_ignored=share_folders)
    for id, labels in others if not share_folders else []:
        _add(found, id, labels)
    return {id: (labels.path, labels.part) for id, labels in found.items()}


def _warn(id: str, labels: "_Labels", number: int, *, are_ignored: bool) -> None:
    log.warning(
        "%s: entries in other folders than the only utterance of their name (%d, such as %s "
        "for %s) %s",
        *(labels.path, number, labels.entry, id),
        "are ignored, because others name the folders" if are_ignored else "label it",
    )


class _Labels(NamedTuple):
    """Where the labels of an utterance are, and what the file calls them."""

    path: Path
    part: Part
    entry: str


def _add(found: dict[str, _Labels], id: str, labels: _Labels) -> None:
    """Add the labels of an utterance; raise DataError if it has others that fit as well."""
    if (first := found.setdefault(id, labels)) is labels:
        return
    if first.path == labels.path:
        if _is_spelled(id, first.entry) != _is_spelled(id, labels.entry):
            found[id] = first if _is_spelled(id, first.entry) else labels
            return
        rule = f"must have one entry for {id!r}"
        raise DataError(labels.path, rule, found=f"{first.entry}, {labels.entry}"[:80])
    rule = f"must be the only file that labels {id!r}; {first.path.name} does"
    raise DataError(labels.path, rule, fix="Set data.segments to one of them.")


def _split(name: str, *, plain: bool = True) -> list[str]:
    """Return the folders and the name of an id or an entry; `plain` as they are compared."""
    parts = name.replace("\\", "/").split("/")
    if plain:
        parts = [re.sub(r"\s", "_", part.lower()) for part in parts]
    return [part for part in parts[:-1] if part not in ("", "*", ".")] + parts[-1:]


def _find_named(entry: str, by_name: Mapping[str, list[str]]) -> list[str]:
    """Return the ids with the name of an entry, in whichever folders, case and with `_`."""
    name = _split(entry)[-1]
    return by_name.get(name) or by_name.get(name.rpartition(".")[0]) or []


def _is_spelled(id: str, entry: str) -> bool:
    """Return whether the last parts of an entry are those of the id, in the same case."""
    *own, own_name = _split(id, plain=False)
    *folders, name = _split(entry, plain=False)
    length = min(len(own), len(folders))
    return own_name in (name, name.rpartition(".")[0]) and (
        not length or own[-length:] == folders[-length:]
    )


def _agree_in_folders(id: str, entry: str) -> bool | None:
    """Return whether the last folders are equal; None if the id or the entry has none."""
    folders, wanted = _split(id)[:-1], _split(entry)[:-1]
    length = min(len(folders), len(wanted))
    return folders[-length:] == wanted[-length:] if length else None
