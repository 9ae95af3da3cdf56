"""Reads phone segments from the JSON of Charsiu, WhisperX and the Montreal Forced Aligner.

They agree on times in seconds, and on little else:

* a list of rows, `[START, END, PHONE]` or objects with these under names;
* an object of several such lists, as Charsiu's `phones` and `words`;
* `{"tiers": {NAME: {"entries": [...]}}}`, which praatio and the Montreal Forced Aligner write;
* `{"segments": [{"chars": [...]}]}`, WhisperX's, whose characters are phones if its alignment
  model emits phones.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from framesweep.data.formats.names import select_tier
from framesweep.errors import DataError

_STARTS, _ENDS = ("start", "start_s", "xmin", "begin"), ("end", "end_s", "xmax")
_NAMES = ("phone", "phoneme", "char", "label", "text")


def parse_json(path: Path, text: str, tier: str) -> Iterator[tuple[float, float, str]]:
    """Yield start and end in seconds and the name of each phone.

    Args:
        path: the file, for error messages.
        text: its content.
        tier: which of several lists contains the phones, as `select_tier` understands it.

    Raises:
        DataError: the text is not JSON, or contains no such list of segments.
    """
    try:
        content = json.loads(
            text, object_pairs_hook=_require_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise DataError(path, f"must be JSON ({error})") from None
    for number, row in enumerate(_find_rows(path, content, tier), start=1):
        where = f"{path}, segment {number}"
        start, end, name = _split_row(where, row)
        # WhisperX does not align what its model cannot pronounce, such as spaces.
        if start is not None and end is not None:
            yield _to_time(where, start), _to_time(where, end), name.strip()


def _require_unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these pairs; of two with one name, neither may silently win."""
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("an object has two values of one name")
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _find_rows(path: Path, content: Any, tier: str) -> list[Any]:
    match content:
        case list():
            return content
        case {"tiers": dict() as tiers}:
            chosen = list(tiers.values())[select_tier(path, list(tiers), tier)]
            if isinstance(chosen, dict) and isinstance(chosen.get("entries"), list):
                return list(chosen["entries"])
        case {"segments": list() as segments}:
            parts = [_phones_of(segment) for segment in segments]
            if segments and not any(parts):
                fix = "WhisperX writes them with --return_char_alignments."
                raise DataError(path, "must contain phones, not only words", fix=fix)
            return [row for part in parts for row in part]
        case dict():
            lists = {name: rows for name, rows in content.items() if isinstance(rows, list)}
            return list(lists.values())[select_tier(path, list(lists), tier)]
    raise DataError(path, "must contain a list of segments", found=str(content)[:60])


def _phones_of(segment: Any) -> list[Any]:
    """Return the rows of phones in one of WhisperX's segments."""
    if isinstance(segment, dict):
        for name in ("phones", "phonemes", "chars"):
            if isinstance(segment.get(name), list):
                return list(segment[name])
    return []


def _split_row(where: str, row: Any) -> tuple[Any, Any, str]:
    """Return start and end, None where a segment has none, and the name of a row."""
    if isinstance(row, list) and len(row) >= 3 and isinstance(row[2], str):
        return row[0], row[1], row[2]
    if isinstance(row, dict):
        name = next((row[key] for key in _NAMES if key in row), None)
        if isinstance(name, str):
            start = next((row[key] for key in _STARTS if key in row), None)
            return start, next((row[key] for key in _ENDS if key in row), None), name
    rule = "must be [START, END, PHONE] or an object with start, end and phone"
    raise DataError(where, rule, found=str(row)[:60])


def _to_time(where: str, value: Any) -> float:
    # A boolean is an int to isinstance. An int may be too large for a float.
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
    if not 0 <= number < 1e9 or not np.isfinite(float(number)):
        raise DataError(where, "a time must be a non-negative number", found=str(value)[:40])
    return float(number)
