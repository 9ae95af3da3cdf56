"""Reads phone segments from Festival's utterance files, .utt.

The file lists items with features, and relations that arrange them (the Edinburgh Speech Tools'
`EST_UtteranceFile.cc`). The relation `Segment` lists the phones: each line begins with the
number of a node and that of its item, whose features `name` and `end` are the phone and its end
in seconds.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from framesweep.data.formats.segment_lines import parse_time, split_lines
from framesweep.errors import DataError

# A quoted value, which may contain semicolons and newlines, the end of a feature, or a word. A
# quote that is never closed matches to the end: searching its end again from each further quote
# would take time that grows with the square of the file.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*\\?(?:"|\Z)|;|[^\s;"]+', re.DOTALL)


def parse_festival(path: Path, text: str) -> Iterator[tuple[float, float, str]]:
    """Yield start and end in seconds and the phone of each segment.

    Raises:
        DataError: the text is not an utterance, or has no complete relation `Segment`.
    """
    if not text.startswith("EST_File utterance"):
        raise DataError(path, "must begin with `EST_File utterance`", found=text[:30])
    text = "\n".join(split_lines(text))
    items = _parse_items(_between(path, text, "Stream_Items\n", "End_of_Stream_Items"))
    relation = _between(path, text, "Relation Segment ;", "End_of_Relation")
    start = 0.0
    for number, line in enumerate(relation.splitlines()[1:], start=1):
        fields = line.split()
        if not fields:
            continue
        where = f"{path}, relation Segment, line {number}"
        item = items.get(fields[1]) if len(fields) == 6 else None
        if item is None:
            rule = "must be `NODE ITEM UP DOWN NEXT PREVIOUS` with an item of the file"
            raise DataError(where, rule, found=line[:60])
        if "end" not in item or "name" not in item:
            raise DataError(where, "the item must have a name and an end", found=str(item)[:60])
        end = parse_time(path, number, item["end"])
        yield start, end, item["name"].strip('"')
        start = end


def _between(path: Path, text: str, first: str, last: str) -> str:
    """Return the text between two lines that begin with `first` and `last`."""
    _, found, rest = text.partition("\n" + first)
    content, ended, _ = rest.partition("\n" + last)
    if not (found and ended):
        raise DataError(path, f"must have a part from `{first.strip()}` to `{last}`")
    return content


def _parse_items(text: str) -> dict[str, dict[str, str]]:
    """Return the features of each item by its number.

    An item is `NUMBER NAME VALUE ; NAME VALUE ; ...`: a number before a feature begins another.
    """
    items: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    feature: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token != ";":
            feature.append(token)
            continue
        if len(feature) > 2 and feature[0].isdigit():
            current = items.setdefault(feature.pop(0), {})
        if len(feature) > 1:
            current[feature[0]] = feature[1]
        feature = []
    return items
