"""Assigns the entries of files that label many utterances, .mlf and .ctm, to audio files."""

from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from framesweep.data.formats.master_files import Part, index_master_file
from framesweep.errors import DataError


def match_master_files(
    paths: Collection[Path], ids: Collection[str]
) -> dict[str, tuple[Path, Part]]:
    """Return the file and the part of it that labels each utterance.

    An entry names an utterance by its id, the last folders of its id, a path elsewhere or a
    pattern that ends with it (`*/a1.lab`), with or without a suffix, in upper or lower case.
    Entries of other utterances are ignored.

    Args:
        paths: the .mlf or .ctm files.
        ids: the ids of the utterances that have audio.

    Raises:
        DataError: an entry may be one of several utterances, or an utterance has two entries.
    """
    by_name: dict[str, list[str]] = {}
    for id in ids:
        by_name.setdefault(PurePosixPath(id).name.lower(), []).append(id)
    found: dict[str, tuple[Path, Part]] = {}
    for path in sorted(paths):
        for entry, part in index_master_file(path).items():
            candidates = _find_candidates(entry, by_name)
            if len(candidates) > 1:
                rule = f"must name its utterances uniquely, as {candidates[0]!r}"
                raise DataError(path, rule, found=entry[:80])
            for id in candidates:
                if id in found:
                    rule = f"must be the only file that labels {id!r}; {found[id][0].name} does"
                    raise DataError(path, rule, fix="Set data.segments to one of them.")
                found[id] = (path, part)
    return found


def _find_candidates(entry: str, by_name: Mapping[str, list[str]]) -> list[str]:
    """Return the ids that an entry may name, best matches only."""
    *folders, name = entry.replace("\\", "/").lower().split("/")
    candidates = by_name.get(name) or by_name.get(name.rpartition(".")[0]) or []
    if len(candidates) == 1:
        return candidates
    wanted = [folder for folder in folders if folder not in ("", "*", ".")]
    return [id for id in candidates if _ends_alike(id.lower().split("/")[:-1], wanted)]


def _ends_alike(folders: list[str], wanted: list[str]) -> bool:
    length = min(len(folders), len(wanted))
    return length == 0 or folders[-length:] == wanted[-length:]
