"""Praat's TextGrid in both of its text formats."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from framesweep.errors import DataError

# Praat reads a text file as a run of free-standing numbers, quoted strings and flags, whatever
# words stand between them; so the long and the short format are one.
_PRAAT = re.compile(
    r'"((?:[^"]|"")*)"'
    r"|(?<!\S)<([a-z]+)>(?!\S)"
    r"|(?<!\S)([-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)(?!\S)"
    r"|(?<!\S)![^\n]*"
)


def read_tier(path: Path, text: str, tier: str) -> list[tuple[float, float, str]]:
    """The intervals of one tier: start and end in seconds, and text.

    Args:
        path: named in errors.
        text: content of the file.
        tier: name of an interval tier, with or without the speaker that the Montreal Forced
            Aligner puts before it.

    Raises:
        DataError: it is no TextGrid, or has no such tier, or several.
    """
    tiers = dict(_tiers(path, text))
    names = [n for n in tiers if n == tier] or [n for n in tiers if n.endswith(f" - {tier}")]
    if len(names) != 1:
        raise DataError(
            path,
            f"must have one interval tier {tier!r}",
            found=list(tiers),
            fix="Set data.tier.",
        )
    return tiers[names[0]]


def _tiers(path: Path, text: str) -> Iterator[tuple[str, list[tuple[float, float, str]]]]:
    """The interval tiers of a TextGrid; tiers of points are passed over."""
    tokens = _Tokens(path, text)
    if "ooTextFile" not in tokens.string() or "TextGrid" not in tokens.string():
        raise DataError(path, "must be a TextGrid in one of Praat's text formats")
    tokens.number(), tokens.number()
    if tokens.flag() != "exists":
        return
    for _ in range(tokens.count()):
        kind, name = tokens.string(), tokens.string()
        tokens.number(), tokens.number()
        count = tokens.count()
        if kind == "IntervalTier":
            yield (
                name,
                [(tokens.time(), tokens.time(), tokens.string().strip()) for _ in range(count)],
            )
        else:
            for _ in range(count):
                tokens.number(), tokens.string()


class _Tokens:
    """The strings, flags and numbers of a Praat text file, each asked for by kind."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._matches = (m for m in _PRAAT.finditer(text) if m.lastindex)

    def _next(self, group: int, kind: str) -> str:
        match = next(self._matches, None)
        if match is None:
            raise DataError(self.path, f"must go on with {kind}", found="its end")
        if match.lastindex != group:
            raise DataError(self.path, f"must go on with {kind}", found=match.group()[:60])
        return match.group(group)

    def string(self) -> str:
        return self._next(1, "a quoted text").replace('""', '"')

    def flag(self) -> str:
        return self._next(2, "<exists> or <absent>")

    def number(self) -> float:
        return float(self._next(3, "a number"))

    def time(self) -> float:
        time = self.number()
        if not 0 <= time < np.inf:
            raise DataError(self.path, "a time must be a number of at least 0", found=time)
        return time

    def count(self) -> int:
        count = self.number()
        if not 0 <= count < 1e9:
            raise DataError(
                self.path, "a number of tiers or intervals must be sane", found=count
            )
        return int(count)
