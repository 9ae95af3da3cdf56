"""From the phonemes of eSpeak NG's English voices to the 71 ARPAbet labels.

A label follows the phoneme, not its sound in one accent, as a pronouncing dictionary does:
the vowel of "price" is AY in the West Midlands too. Sounds that ARPAbet lacks become two
phones one after the other: "near" ends in R where the accent says it, else in AH0.
"""

from collections.abc import Sequence

from framesweep.data.phones import ARPABET_VOWELS
from framesweep.errors import DataError

SILENCE, NOISE = "SIL", "SPN"
GLOTTAL_STOP = "?"

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
"""What an accent says otherwise. Scots has an R of its own after most of these vowels."""


def _table(text: str) -> dict[str, tuple[str, ...]]:
    """Mnemonic to phones; `~` is no phone of its own but more of the one before."""
    words = text.split()
    pairs = zip(words[::2], words[1::2], strict=True)
    return {name: () if phones == "~" else tuple(phones.split("+")) for name, phones in pairs}


def arpabet(mnemonics: Sequence[str], accent: str) -> list[tuple[str, ...]]:
    """The phones of each phoneme: one, two that share its time, or none.

    A phoneme without phones lengthens the one before it. An R that the next phoneme says
    anyway is left to that one.

    Args:
        mnemonics: eSpeak's phonemes, stress marks before them; pauses begin with `_`.
        accent: the language of the voice, as `en-us`.

    Raises:
        DataError: phonemes are unknown; it lists them.
    """
    table = _table(_PHONEMES) | _table(_ACCENTS.get(accent, ""))
    unknown = {name for name in map(_bare, mnemonics) if name[0] != "_" and name not in table}
    if unknown:
        raise DataError(
            f"eSpeak NG voice {accent}",
            "its phonemes must be known to framesweep.data.readers.demo.arpabet",
            found=sorted(unknown),
        )
    labels = []
    for mnemonic, following in zip(mnemonics, [*mnemonics, "_"][1:], strict=True):
        bare = _bare(mnemonic)
        phones = (SILENCE,) if bare[0] == "_" else table[bare]
        if phones[1:] == ("R",) and _bare(following) in ("r", "r-"):
            phones = phones[:1]
        labels.append(_stressed(phones, mnemonic))
    return labels


def _bare(mnemonic: str) -> str:
    return mnemonic.lstrip("',") or "_"


def _stressed(phones: tuple[str, ...], mnemonic: str) -> tuple[str, ...]:
    """Vowels with their stress; the second of two has none."""
    stress = {"'": "1", ",": "2"}.get(mnemonic[:1], "0")
    marked = []
    for place, phone in enumerate(phones):
        mark = stress if place == 0 else "0"
        marked.append(phone + mark if phone in ARPABET_VOWELS else phone)
    return tuple(marked)
