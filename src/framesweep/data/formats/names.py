"""Compares names that people and systems spell in several ways: of files, phones and tiers."""

import unicodedata
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from framesweep.errors import DataError


def normalize_name(name: str) -> str:
    """Return `name` in Unicode's composed form, NFC, in which equal texts are equal strings.

    macOS and its archives store file names decomposed, as `e` and an accent; most other
    systems and editors write one character (Unicode Standard Annex 15).
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def select_tier(path: Path, names: Sequence[str], wanted: str) -> int:
    """Return the index in `names` of the only tier that data.tier, `wanted`, describes.

    `wanted` is a name, a pattern with the wildcards `*` and `?`, or several of these separated
    by `|`, of which the first that occurs in the file applies. The Montreal Forced Aligner puts
    the speaker before a name (`anna - phones`), which may be omitted while only one tier has
    the name.

    Raises:
        DataError: no tier or several tiers of `path` are described by `wanted`.
    """
    for choice in (wanted, *wanted.split("|")):
        # A name as it stands precedes a pattern: a tier may be called `phones [auto]`.
        for matches in (
            [i for i, name in enumerate(names) if name == choice],
            [i for i, name in enumerate(names) if name.endswith(f" - {choice}")],
            [i for i, name in enumerate(names) if fnmatchcase(name, choice)],
        ):
            if len(matches) == 1:
                return matches[0]
            if matches:
                raise _no_single_tier(path, names, choice)
    raise _no_single_tier(path, names, wanted)


def _no_single_tier(path: Path, names: Sequence[str], wanted: str) -> DataError:
    repeated = any(names.count(name) > 1 for name in names)
    fix = (
        "Give each tier a name of its own."
        if repeated
        else "Set data.tier to a name or a pattern, such as '*phone*', or to several as 'a|b'."
    )
    rule = f"must have exactly one interval tier {wanted!r}"
    return DataError(path, rule, found=list(names), fix=fix)
