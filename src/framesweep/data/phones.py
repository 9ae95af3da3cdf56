"""Phone sets: the names of labels, which of them are silence, and how they are folded."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from framesweep.errors import DataError

ARPABET_VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split()
ARPABET_CONSONANTS = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split()

SILENCE_NAMES = frozenset(
    "sil silence sp spn nsn h# pau epi # _ pause silb sile noise laughter".split()
)
"""Names of frames without speech in common corpora, as `plain` spells them."""
NOTHING_TO_LEARN = "all frames have the same label, so that there is nothing to learn"
"""What is said of a corpus in which only one phone occurs."""
# Kaldi marks the position of a phone in its word: begin, internal, end or singleton.
_WORD_POSITION = re.compile("_[bies]$")


def plain(name: str) -> str:
    """Return a phone's name in lower case, without brackets and Kaldi's word position."""
    lower = name.lower()
    # MAUS writes a pause as <p:>; without brackets it would be a long p.
    return "pause" if lower == "<p:>" else _WORD_POSITION.sub("", lower.strip("[]<>"))


@dataclass(frozen=True, slots=True)
class PhoneSet:
    """An ordered set of phones. The id of a phone, its label, is its index in `names`.

    Raises:
        DataError: a name is repeated.
    """

    names: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", {name: i for i, name in enumerate(self.names)})
        _require_unique(self.names, "phone set")

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: str) -> bool:
        return name in self._ids

    def id(self, name: str) -> int:
        """Return the id of `name`; raise DataError if it is not in the set."""
        try:
            return self._ids[name]
        except KeyError:
            raise DataError("phone set", "the phone must be in the set", found=name) from None

    @property
    def has_names(self) -> bool:
        """Whether the corpus names its phones, so that they are not just numbered."""
        return self.names != PhoneSet.numbered(len(self)).names

    @property
    def size_in_words(self) -> str:
        """The number of phones, as `1 phone` or `71 phones`."""
        return "1 phone" if len(self) == 1 else f"{len(self)} phones"

    @property
    def silence_ids(self) -> tuple[int, ...]:
        """The ids of silences, pauses and noises, in ascending order."""
        return tuple(i for i, name in enumerate(self.names) if plain(name) in SILENCE_NAMES)

    @classmethod
    def numbered(cls, num_classes: int) -> "PhoneSet":
        """Return a set for labels without names: each is named by its id."""
        return cls(tuple(str(i) for i in range(num_classes)))

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, int]], where: object) -> "PhoneSet":
        """Return a set from (name, id) pairs in any order.

        Args:
            pairs: the ids must be 0, 1, 2, ...
            where: the file of the pairs, for error messages.

        Raises:
            DataError: an id is missing, or a name is repeated.
        """
        by_id = {index: name for name, index in pairs}
        if sorted(by_id) != list(range(len(by_id))):
            raise DataError(where, "ids must be 0, 1, 2, ...", found=sorted(by_id)[:5])
        names = tuple(by_id[i] for i in range(len(by_id)))
        _require_unique(names, where)
        return cls(names)


def _require_unique(names: tuple[str, ...], where: object) -> None:
    if len(set(names)) != len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise DataError(where, "names must be unique", found=repeated)


def _with_stress(vowel: str) -> list[str]:
    return [f"{vowel}{stress}" for stress in (0, 1, 2)]


ARPABET_71 = PhoneSet(
    (
        "SIL",
        "SPN",
        *sorted(
            chain(ARPABET_CONSONANTS, chain.from_iterable(map(_with_stress, ARPABET_VOWELS)))
        ),
    )
)
"""The 71 labels of HW1P2: SIL, SPN, then ARPAbet in alphabetical order with stress."""

_SILENCE_SPELLINGS = ("[SIL]", "SIL")

HW1P2_40 = tuple(
    PhoneSet((silence, *sorted(chain(ARPABET_CONSONANTS, ARPABET_VOWELS))))
    for silence in _SILENCE_SPELLINGS
)
"""The 40 labels of HW1P2 since Spring 2022, in the order of the list that the course publishes:
silence, which Spring 2022 spelled SIL and later semesters [SIL], then ARPAbet without stress.
The course's list ends with two marks of a transcript's start and end, which no frame has."""


def number_as_course(names: Collection[str]) -> PhoneSet | None:
    """Return the phone set of HW1P2 that contains all `names`, or None if neither does."""
    return next((phones for phones in HW1P2_40 if set(phones.names).issuperset(names)), None)


def describe_numbering(phones: PhoneSet) -> str:
    """Return one line that says how labels are numbered: `0 [SIL], 1 AA, ..., 39 ZH`."""
    names = phones.names
    if not phones.has_names:
        number = "1 number" if len(names) == 1 else f"{len(names)} numbers"
        return f"labels: {number} without names"
    if phones in HW1P2_40 or phones == ARPABET_71:
        order = "in the order of CMU 11-785"
    else:
        order = "in alphabetical order" if list(names) == sorted(names) else "in a given order"
    shown = [f"{i} {name}" for i, name in enumerate(names)]
    if len(shown) > 4:
        shown = [*shown[:2], "...", shown[-1]]
    return f"labels: {phones.size_in_words} {order}: {', '.join(shown)}"


@dataclass(frozen=True, slots=True)
class Folding:
    """A merger of phones that count as one in scoring.

    Attributes:
        name: the name of the folding.
        groups: what each phone becomes; None for a phone that is excluded from scoring, such as
            TIMIT's glottal stop q.
    """

    name: str
    groups: Mapping[str, str | None]

    def fits(self, phones: PhoneSet) -> bool:
        """Return whether the folding knows every phone of the set and merges some of them."""
        known = set(self.groups)
        folded = {self.groups.get(name) for name in phones.names}
        return known.issuperset(phones.names) and len(folded) < len(phones)

    def classes(self, phones: PhoneSet) -> tuple[tuple[int, ...], PhoneSet]:
        """Return the folded class of each phone, -1 if it is excluded, and the folded set.

        The folded phones are in the order in which they first occur among those of `phones`.
        """
        targets = [self.groups[name] for name in phones.names]
        folded = PhoneSet(tuple(dict.fromkeys(name for name in targets if name is not None)))
        return tuple(-1 if name is None else folded.id(name) for name in targets), folded


def _merge(names: str, merges: str) -> dict[str, str | None]:
    """Return groups in which all names stay themselves, except those in `merges`.

    Args:
        merges: `TARGET = NAME NAME; TARGET = NAME ...`.
    """
    groups: dict[str, str | None] = {name: name for name in names.split()}
    for merge in merges.split(";"):
        target, members = merge.split("=")
        groups |= {member: target.strip() for member in members.split()}
    return groups


TIMIT_61 = (
    "aa ae ah ao aw ax ax-h axr ay b bcl ch d dcl dh dx eh el em en eng epi er ey f g gcl h# "
    "hh hv ih ix iy jh k kcl l m n ng nx ow oy p pau pcl q r s sh t tcl th uh uw ux v w y z zh"
)
"""TIMIT's phones as they occur in its .phn files."""

# Lee and Hon, "Speaker-independent phone recognition using hidden Markov models",
# IEEE Trans. ASSP 37(11), 1989: 61 phones are merged to 48 for training, and confusions among
# sil/cl/vcl/epi, l/el, n/en, sh/zh, aa/ao, ih/ix and ah/ax do not count as errors in scoring.
_TO_48 = _merge(
    TIMIT_61,
    "ax = ax-h; er = axr; vcl = bcl dcl gcl; cl = pcl tcl kcl; m = em; ng = eng; hh = hv;"
    "n = nx; sil = h# pau; uw = ux",
) | {"q": None}
_48_TO_39 = _merge(
    " ".join(dict.fromkeys(name for name in _TO_48.values() if name is not None)),
    "sil = cl vcl epi; l = el; n = en; sh = zh; aa = ao; ih = ix; ah = ax",
)
_TO_39 = {name: (None if to is None else _48_TO_39[to]) for name, to in _TO_48.items()}

_UNSTRESSED = {name: name.rstrip("012") for name in ARPABET_71.names}


def _include_targets(groups: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return groups that also know the phones they fold to: some corpora mix both."""
    return {name: name for name in groups.values() if name is not None} | dict(groups)


FOLDINGS = (
    Folding("48", _include_targets(_TO_48)),
    Folding("39", _include_targets(_TO_39 | _48_TO_39)),
    # The Montreal Forced Aligner adds these, in lower case, to ARPAbet.
    Folding(
        "unstressed", _include_targets({"sil": "sil", "sp": "sp", "spn": "spn"} | _UNSTRESSED)
    ),
)
"""The usual foldings for scoring: TIMIT 61 -> 48 -> 39, and 71 phones with stress -> 41."""


def find_foldings(phones: PhoneSet) -> tuple[Folding, ...]:
    """Return the foldings that fit a phone set."""
    return tuple(folding for folding in FOLDINGS if folding.fits(phones))
