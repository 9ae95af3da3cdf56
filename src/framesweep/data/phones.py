"""Phone sets: the order of labels, and which of them are silence."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from framesweep.errors import DataError

ARPABET_VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split()
ARPABET_CONSONANTS = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split()

SILENCE_NAMES = frozenset(
    "sil silence sp spn nsn h# pau epi # _ pause silb sile noise laughter".split()
)
"""What the field's corpora call frames without speech, plainly."""
_PLACE_IN_WORD = re.compile("_[bies]$")


def plain(name: str) -> str:
    """A phone in lower case, without brackets and Kaldi's mark of its place in a word."""
    lower = name.lower()
    # MAUS's pause without its brackets would be a long p.
    return "pause" if lower == "<p:>" else _PLACE_IN_WORD.sub("", lower.strip("[]<>"))


@dataclass(frozen=True, slots=True)
class PhoneSet:
    """An ordered set of phones; a phone's id is its place in `names`."""

    names: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", {name: i for i, name in enumerate(self.names)})
        if len(self._ids) != len(self.names):
            twice = sorted({n for n in self.names if self.names.count(n) > 1})
            raise DataError("phone set", "names must differ", found=twice)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: str) -> bool:
        return name in self._ids

    def id(self, name: str) -> int:
        """The id of `name`; raises DataError for a phone that is not in the set."""
        try:
            return self._ids[name]
        except KeyError:
            raise DataError("phone set", "phone must be in the set", found=name) from None

    @property
    def silence_ids(self) -> tuple[int, ...]:
        """Ids of the silence, pause and noise labels, in order."""
        return tuple(i for i, name in enumerate(self.names) if plain(name) in SILENCE_NAMES)

    @classmethod
    def numbered(cls, num_classes: int) -> "PhoneSet":
        """A set for labels that came without names: each is called by its id."""
        return cls(tuple(str(i) for i in range(num_classes)))

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, int]], where: object) -> "PhoneSet":
        """A set from (name, id) pairs in any order; the ids must be 0, 1, 2, ..."""
        by_id = {index: name for name, index in pairs}
        if sorted(by_id) != list(range(len(by_id))):
            raise DataError(where, "ids must run 0, 1, 2, ...", found=sorted(by_id)[:5])
        return cls(tuple(by_id[i] for i in range(len(by_id))))


def _stressed(vowel: str) -> list[str]:
    return [f"{vowel}{stress}" for stress in (0, 1, 2)]


ARPABET_71 = PhoneSet(
    (
        "SIL",
        "SPN",
        *sorted(chain(ARPABET_CONSONANTS, chain.from_iterable(map(_stressed, ARPABET_VOWELS)))),
    )
)
"""The 71 labels of HW1P2: SIL, SPN, then ARPAbet alphabetically, a vowel once a stress."""


@dataclass(frozen=True, slots=True)
class Folding:
    """Phones that count as one: `groups` maps a phone to what it becomes.

    A phone mapped to None is left out of scoring, as TIMIT's glottal stop q is.
    """

    name: str
    groups: Mapping[str, str | None]

    def fits(self, phones: PhoneSet) -> bool:
        """Whether every phone of the set is known to the folding, and it merges some."""
        known = set(self.groups)
        folded = {self.groups.get(name) for name in phones.names}
        return known.issuperset(phones.names) and len(folded) < len(phones)

    def classes(self, phones: PhoneSet) -> tuple[tuple[int, ...], PhoneSet]:
        """The folded class of each phone, -1 where it is left out, and the folded set.

        The folded phones come in the order in which `phones` first reaches them.
        """
        reached = [self.groups[name] for name in phones.names]
        folded = PhoneSet(tuple(dict.fromkeys(name for name in reached if name is not None)))
        return tuple(-1 if name is None else folded.id(name) for name in reached), folded


def _merged(names: str, merges: str) -> dict[str, str | None]:
    groups: dict[str, str | None] = {name: name for name in names.split()}
    for merge in merges.split(";"):
        target, members = merge.split("=")
        groups |= {member: target.strip() for member in members.split()}
    return groups


TIMIT_61 = (
    "aa ae ah ao aw ax ax-h axr ay b bcl ch d dcl dh dx eh el em en eng epi er ey f g gcl h# "
    "hh hv ih ix iy jh k kcl l m n ng nx ow oy p pau pcl q r s sh t tcl th uh uw ux v w y z zh"
)
"""TIMIT's phones as its .phn files have them."""

# Lee and Hon, "Speaker-independent phone recognition using hidden Markov models",
# IEEE Trans. ASSP 37(11), 1989: 61 phones are merged to 48 for training, and of these
# sil/cl/vcl/epi, l/el, n/en, sh/zh, aa/ao, ih/ix and ah/ax are not told apart in scoring.
_TO_48 = _merged(
    TIMIT_61,
    "ax = ax-h; er = axr; vcl = bcl dcl gcl; cl = pcl tcl kcl; m = em; ng = eng; hh = hv;"
    "n = nx; sil = h# pau; uw = ux",
) | {"q": None}
_48_TO_39 = _merged(
    " ".join(dict.fromkeys(name for name in _TO_48.values() if name is not None)),
    "sil = cl vcl epi; l = el; n = en; sh = zh; aa = ao; ih = ix; ah = ax",
)
_TO_39 = {name: (None if to is None else _48_TO_39[to]) for name, to in _TO_48.items()}

_UNSTRESSED = {name: name.rstrip("012") for name in ARPABET_71.names}


def _knowing_its_own(groups: Mapping[str, str | None]) -> dict[str, str | None]:
    """Also for phones that are folded already, among those that are not."""
    return {name: name for name in groups.values() if name is not None} | dict(groups)


FOLDINGS = (
    Folding("48", _knowing_its_own(_TO_48)),
    Folding("39", _knowing_its_own(_TO_39 | _48_TO_39)),
    # The Montreal Forced Aligner writes these small beside ARPAbet.
    Folding(
        "unstressed", _knowing_its_own({"sil": "sil", "sp": "sp", "spn": "spn"} | _UNSTRESSED)
    ),
)
"""Every folding the field scores with: TIMIT 61 -> 48 -> 39, stress-marked 71 -> 41."""


def foldings(phones: PhoneSet) -> tuple[Folding, ...]:
    """The foldings that fit a phone set."""
    return tuple(folding for folding in FOLDINGS if folding.fits(phones))
