"""From the names in segment files to the labels of frames."""

from collections.abc import Mapping
from dataclasses import dataclass

from framesweep.data.phones import FOLDINGS, PhoneSet, plain
from framesweep.errors import ConfigError, DataError

GAP_NAMES = ("sil", "silence", "h#", "pau", "sp", "#", "_", "pause")
"""Silences that may label what no segment covers, the likeliest first, lower case."""


@dataclass(frozen=True, slots=True)
class Labelling:
    """The phones to train on, and the label of each name in the segments.

    `ids` maps "" to the label of what no segment names.
    """

    phones: PhoneSet
    ids: Mapping[str, int]


def make_labelling(
    names: Mapping[str, object], listed: PhoneSet | None, gap: str | None, fold: str | None
) -> Labelling:
    """Numbers the names found in a corpus.

    Args:
        names: each name found, with a file that has it.
        listed: the phones that are allowed, in order; None for those found, sorted.
        gap: name for what no segment covers; None for the phones' own silence, or sil.
        fold: name of a folding; a phone that it leaves out is labelled as a gap.

    Raises:
        DataError: a name is not listed.
        ConfigError: `gap` is not listed, or the folding does not know a phone.
    """
    if listed is not None:
        if unknown := sorted(name for name in names if name not in listed):
            rule = f"must list every phone of the corpus; {names[unknown[0]]} has {unknown[0]}"
            raise DataError("data.phones", rule, found=unknown)
        if gap is not None and gap not in listed:
            raise ConfigError("data.gap_phone", "must be in data.phones", found=gap)
    known = listed or PhoneSet(tuple(sorted(names)))
    gap = gap or _own_silence(known)
    if gap not in known:
        if listed is not None:
            raise ConfigError("data.gap_phone", "must be given: data.phones has no silence")
        known = PhoneSet(tuple(sorted({*known.names, gap})))
    phones, classes = _folded(known, fold)
    ids = dict(zip(known.names, classes, strict=True))
    if ids[gap] < 0:
        raise ConfigError("data.gap_phone", f"must not be left out by fold={fold}", found=gap)
    labels = {name: ids[gap] if label < 0 else label for name, label in ids.items()}
    return Labelling(phones, labels | {"": labels[gap]})


def _own_silence(phones: PhoneSet) -> str:
    by_plain = {plain(name): name for name in reversed(phones.names)}
    return next((by_plain[name] for name in GAP_NAMES if name in by_plain), GAP_NAMES[0])


def _folded(phones: PhoneSet, fold: str | None) -> tuple[PhoneSet, tuple[int, ...]]:
    if fold is None:
        return phones, tuple(range(len(phones)))
    folding = next(folding for folding in FOLDINGS if folding.name == fold)
    if unknown := [name for name in phones.names if name not in folding.groups]:
        rule = f"{fold} must know every phone"
        raise ConfigError("data.fold", rule, found=unknown, fix="data.fold=null keeps all.")
    classes, folded = folding.classes(phones)
    return folded, classes
