"""Phone sets: the order of labels, and which of them are silence."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

from framesweep.errors import DataError

ARPABET_VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split()
ARPABET_CONSONANTS = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split()

# Names that the field's corpora give to frames without speech, lower case, brackets off.
SILENCE_NAMES = frozenset("sil silence sp spn nsn h# pau epi # _ noise laughter".split())


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
        return tuple(
            i
            for i, name in enumerate(self.names)
            if name.lower().strip("[]<>") in SILENCE_NAMES
        )

    @classmethod
    def numbered(cls, num_classes: int) -> "PhoneSet":
        """A set for labels that came without names: each is called by its id."""
        return cls(tuple(str(i) for i in range(num_classes)))

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, int]], where: object) -> "PhoneSet":
        """A set from (name, id) pairs in any order; the ids must be 0, 1, 2, ..."""
        by_id = dict((i, name) for name, i in pairs)
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
