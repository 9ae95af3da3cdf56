"""Reads Praat's TextGrid in its long and its short text format.

Praat ignores all words in a text file that are not free-standing numbers, quoted strings, flags
in angle brackets or comments after an exclamation mark (Praat manual, "TextGrid file formats").
The long format only adds such words, `xmin =` for instance, so one tokenizer reads both.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from framesweep.data.formats.names import select_tier
from framesweep.errors import DataError

Interval = tuple[float, float, str]
"""Start and end in seconds, and the text."""

# In order: a string (a doubled quote stands for one), a flag, a number, a comment. The
# look-arounds require the last three to be free-standing: `[1]:` and `xmin2` are no numbers.
# A comment matches without a group, which drops it and the numbers and strings in it.
_TOKEN = re.compile(
    r'"((?:[^"]|"")*)"'
    r"|(?<!\S)<([a-z]+)>(?!\S)"
    r"|(?<!\S)([-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)(?!\S)"
    r"|(?<!\S)![^\n]*"
)


def read_tier(path: Path, text: str, tier: str) -> list[Interval]:
    """Return the intervals of one tier.

    Args:
        path: the file, for error messages.
        text: the content of the file.
        tier: the name of an interval tier, as `select_tier` understands it.

    Raises:
        DataError: the text is not a TextGrid, or no tier or several tiers have this name.
    """
    # A list, not a dictionary: of two tiers with one name, neither may silently win.
    tiers = list(_read_tiers(path, text))
    return tiers[select_tier(path, [name for name, _ in tiers], tier)][1]


def _read_tiers(path: Path, text: str) -> Iterator[tuple[str, list[Interval]]]:
    """Yield the name and the intervals of each interval tier; point tiers are skipped."""
    rule = "must be a TextGrid in one of Praat's text formats"
    if "ooTextFile" not in text:
        raise DataError(path, rule, found=text[:30] or "an empty file")
    tokens = _Tokens(path, text)
    if "ooTextFile" not in tokens.string() or "TextGrid" not in tokens.string():
        raise DataError(path, rule)
    tokens.number(), tokens.number()  # start and end of the whole grid
    if tokens.flag() != "exists":
        return
    for _ in range(tokens.count()):
        kind, name = tokens.string(), tokens.string()
        tokens.number(), tokens.number()  # start and end of the tier
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
    """The strings, flags and numbers of a Praat text file, read one by one.

    The caller says which kind must come next. A declared count therefore never allocates
    anything: a file that declares too many tiers or intervals ends too early.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._matches = (match for match in _TOKEN.finditer(text) if match.lastindex)

    def _next(self, group: int, kind: str) -> str:
        match = next(self._matches, None)
        if match is None:
            raise DataError(self.path, f"must continue with {kind}", found="end of file")
        if match.lastindex != group:
            raise DataError(self.path, f"must continue with {kind}", found=match.group()[:60])
        return match.group(group)

    def string(self) -> str:
        return self._next(1, "a quoted string").replace('""', '"')

    def flag(self) -> str:
        return self._next(2, "<exists> or <absent>")

    def number(self) -> float:
        return float(self._next(3, "a number"))

    def time(self) -> float:
        time = self.number()
        if not 0 <= time < np.inf:
            raise DataError(self.path, "a time must be a non-negative number", found=time)
        return time

    def count(self) -> int:
        count = self.number()
        if not 0 <= count < 1e9:
            raise DataError(
                self.path,
                "the number of tiers or intervals must be from 0 to 999,999,999",
                found=count,
            )
        return int(count)
