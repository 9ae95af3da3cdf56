"""Maps the phone names in segment files to the labels of frames."""

from collections.abc import Mapping
from dataclasses import dataclass

from framesweep.data.checks import MAX_CLASSES
from framesweep.data.phones import FOLDINGS, PhoneSet, plain
from framesweep.data.readers.source_files import is_number
from framesweep.errors import ConfigError, DataError

GAP_NAMES = ("sil", "silence", "h#", "pau", "sp", "#", "_", "pause")
"""Silence phones that may label the gaps between segments, in order of preference; as `plain`
spells them."""


@dataclass(frozen=True, slots=True)
class Labelling:
    """The phones to train on, and the label of each name that occurs in segments.

    Attributes:
        phones: the phones after folding.
        ids: the label of each name; `ids[""]` is the label of gaps and of unnamed segments.
    """

    phones: PhoneSet
    ids: Mapping[str, int]


def build_labelling(
    names: Mapping[str, object], listed: PhoneSet | None, gap: str | None, fold: str | None
) -> Labelling:
    """Number the phone names that occur in a corpus.

    Names that are all numbers, as Kaldi writes phones, are those of listed phones.

    Args:
        names: each name, with a file in which it occurs, for error messages.
        listed: the allowed phones in order; None for those that occur, sorted.
        gap: the phone that labels gaps; None for a silence among the phones, else `sil`.
        fold: the name of a folding. A phone that the folding drops is labelled as a gap.

    Raises:
        DataError: a name is not listed, or a number is none of a listed phone.
        ConfigError: `gap` is not listed, or the folding does not know a phone.
    """
    if listed is not None and names and all(is_number(n) and n not in listed for n in names):
        phone_of = {n: listed.names[id] for n, id in number_labels(names, listed).ids.items()}
        named = {phone: names[number] for number, phone in phone_of.items()}
        labelling = build_labelling(named, listed, gap, fold)
        ids = {number: labelling.ids[phone] for number, phone in phone_of.items()}
        return Labelling(labelling.phones, ids | {"": labelling.ids[""]})
    if listed is not None:
        _require_listed(names, listed, gap)
    known = listed or PhoneSet(tuple(sorted(names)))
    gap = gap or _find_silence(known)
    if gap not in known:
        if listed is not None:
            raise ConfigError(
                "data.gap_phone", "must be set, because data.phones lists no silence"
            )
        known = PhoneSet(tuple(sorted({*known.names, gap})))
    phones, classes = _fold(known, fold)
    ids = dict(zip(known.names, classes, strict=True))
    if ids[gap] < 0:
        raise ConfigError(
            "data.gap_phone", f"must be a phone that data.fold={fold} keeps", found=gap
        )
    labels = {name: ids[gap] if label < 0 else label for name, label in ids.items()}
    return Labelling(phones, labels | {"": labels[gap]})


def number_labels(names: Mapping[str, object], listed: PhoneSet | None) -> Labelling:
    """Return the labelling of frames whose labels are class numbers.

    Args:
        names: the numbers that occur, as text, each with a file in which it occurs.
        listed: the names of the classes in order; None to name each by its number.

    Raises:
        DataError: a class has no name, or a number is too large.
    """
    largest = max(names, key=int)
    phones = listed or PhoneSet.numbered(min(int(largest), MAX_CLASSES) + 1)
    if int(largest) >= min(len(phones), MAX_CLASSES):
        rule = f"class numbers must be below {min(len(phones), MAX_CLASSES)}"
        raise DataError(names[largest], rule, found=largest)
    return Labelling(phones, {name: int(name) for name in names})


def _require_listed(names: Mapping[str, object], listed: PhoneSet, gap: str | None) -> None:
    if unknown := sorted(name for name in names if name not in listed):
        rule = f"must list every phone of the corpus; {names[unknown[0]]} contains {unknown[0]}"
        raise DataError("data.phones", rule, found=unknown)
    if gap is not None and gap not in listed:
        raise ConfigError("data.gap_phone", "must be listed in data.phones", found=gap)


def _find_silence(phones: PhoneSet) -> str:
    # Reversed, so that of several phones with one plain name the first in the set is kept:
    # SIL before SIL_B, of which Kaldi makes both.
    by_plain_name = {plain(name): name for name in reversed(phones.names)}
    return next(
        (by_plain_name[name] for name in GAP_NAMES if name in by_plain_name), GAP_NAMES[0]
    )


def _fold(phones: PhoneSet, fold: str | None) -> tuple[PhoneSet, tuple[int, ...]]:
    """Return the folded set and the class of each phone, -1 for a phone that is dropped."""
    if fold is None:
        return phones, tuple(range(len(phones)))
    folding = next(folding for folding in FOLDINGS if folding.name == fold)
    if unknown := [name for name in phones.names if name not in folding.groups]:
        rule = f"the folding {fold} must know every phone of the corpus"
        fix = "data.fold=null keeps all phones."
        raise ConfigError("data.fold", rule, found=unknown, fix=fix)
    classes, folded = folding.classes(phones)
    return folded, classes
