"""Maps the phonemes of eSpeak NG's English voices to the 71 ARPAbet labels.

As in a pronouncing dictionary, a label denotes the phoneme, not its sound in one accent: the
vowel of "price" is AY in the West Midlands too. Vowels that ARPAbet lacks become two phones in
succession: "near" ends in R if the accent pronounces it, else in AH0.
"""

from collections.abc import Sequence

from framesweep.data.phones import ARPABET_VOWELS
from framesweep.errors import DataError

SILENCE, NOISE = "SIL", "SPN"
GLOTTAL_STOP = "?"

# Pairs of a mnemonic of eSpeak (`espeak-ng -x` prints them; see docs/phonemes.md in its
# repository) and ARPAbet phones without stress. `~` marks a glide, which only lengthens the
# phone before it.
_PHONEMES = """
    b B   d D   f F   g G   h HH   j Y   k K   l L   m M   n N   n- N   N NG   p P
    r R   r- R   s S   t T   t# T   t2 T   ? T   v V   w W   w# W   z Z
    D DH   S SH   T TH   t[ TH   Z ZH   dZ JH   tS CH
    a AE   aa AE   A: AA   0 AA   V AH   a# AH   @ AH   @- AH   @2 AH   @5 AH
    O: AO   O2 AO   aU AW   aI AY   aI2 AY   E EH   3 ER   3: ER   IR ER   VR ER
    eI EY   I IH   I2 IH   I# IH   i IY   i: IY   oU OW   OI OY   U UH   u: UW
    A@ AA   O@ AO   o@ AO   e@ EH+AH   i@ IY+AH   i@3 IH+AH   U@ UH+AH
    @L AH+L   aI@ AY+AH   aI3 AY+ER   ; ~
"""

_ACCENTS = {
    "en-us": "A@ AA+R   O@ AO+R   o@ AO+R   e@ EH+R   i@3 IH+R   U@ UH+R",
    "en-gb-scotland": "e@ EH   i@3 IH   U@ UH+R",
}
"""Entries that differ in one accent. In Scottish English eSpeak emits a separate R after most
of these vowels, so it must not be added here."""


def _parse_table(text: str) -> dict[str, tuple[str, ...]]:
    """Return the phones of each mnemonic; none for `~`."""
    words = text.split()
    pairs = zip(words[::2], words[1::2], strict=True)
    return {name: () if phones == "~" else tuple(phones.split("+")) for name, phones in pairs}


def to_arpabet(mnemonics: Sequence[str], accent: str) -> list[tuple[str, ...]]:
    """Return the phones of each phoneme: one, two that share its duration, or none.

    A phoneme without phones lengthens the one before it. If a phoneme ends in R and the next
    one is R itself ("starry"), only the second R is kept.

    Args:
        mnemonics: eSpeak's phonemes, preceded by their stress marks; pauses start with `_`.
        accent: the language of the voice, such as `en-us`.

    Raises:
        DataError: some phonemes are unknown; the error lists them.
    """
    table = _parse_table(_PHONEMES) | _parse_table(_ACCENTS.get(accent, ""))
    unknown = {
        name for name in map(_strip_stress, mnemonics) if name[0] != "_" and name not in table
    }
    if unknown:
        raise DataError(
            f"eSpeak NG voice {accent}",
            "all of its phonemes must be mapped by framesweep.data.readers.demo.arpabet",
            found=sorted(unknown),
        )
    labels = []
    for mnemonic, following in zip(mnemonics, [*mnemonics, "_"][1:], strict=True):
        name = _strip_stress(mnemonic)
        phones = (SILENCE,) if name[0] == "_" else table[name]
        if phones[1:] == ("R",) and _strip_stress(following) in ("r", "r-"):
            phones = phones[:1]
        labels.append(_mark_stress(phones, mnemonic))
    return labels


def _strip_stress(mnemonic: str) -> str:
    # Stress marks without a phoneme count as a pause.
    return mnemonic.lstrip("',") or "_"


def _mark_stress(phones: tuple[str, ...], mnemonic: str) -> tuple[str, ...]:
    """Return the phones with ARPAbet's stress digits: the first vowel gets the phoneme's."""
    stress = {"'": "1", ",": "2"}.get(mnemonic[:1], "0")
    marked = []
    for index, phone in enumerate(phones):
        mark = stress if index == 0 else "0"
        marked.append(phone + mark if phone in ARPABET_VOWELS else phone)
    return tuple(marked)
