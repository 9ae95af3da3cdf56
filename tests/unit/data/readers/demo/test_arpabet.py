"""eSpeak's phonemes become the ARPAbet phones of a pronouncing dictionary."""

import pytest

from framesweep.data.phones import ARPABET_71
from framesweep.data.readers.demo.arpabet import to_arpabet
from framesweep.data.readers.demo.corpus import ACCENTS, read_sentences
from framesweep.data.readers.demo.espeak import Espeak
from framesweep.errors import DataError


@pytest.fixture(scope="module")
def espeak():
    with Espeak() as synthesizer:
        yield synthesizer


def say(espeak, accent, text):
    mnemonics = [name for name, _ in espeak.speak(text, accent).phonemes]
    return [phone for phones in to_arpabet(mnemonics, accent) for phone in phones]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("measure", "M EH1 ZH ER0"),
        ("boy", "B OY1"),
        ("sugar", "SH UH1 G ER0"),
        ("educate", "EH1 JH UW0 K EY2 T"),
        ("church", "CH ER1 CH"),
        ("hatching", "HH AE1 CH IH0 NG"),
        ("there", "DH EH1 R"),
        ("starry", "S T AA1 R IY0"),
        ("yellow", "Y EH1 L OW0"),
        ("judge", "JH AH1 JH"),
    ],
)
def test_american_words_match_a_pronouncing_dictionary(espeak, word, expected):
    spoken = " ".join(phone for phone in say(espeak, "en-us", word) if phone != "SIL")
    assert spoken == expected


def test_r_is_kept_only_in_accents_that_pronounce_it(espeak):
    assert "R" in say(espeak, "en-us", "far")
    assert "R" in say(espeak, "en-gb-scotland", "far")
    assert "R" not in say(espeak, "en", "far")


@pytest.mark.parametrize("accent", ACCENTS.split())
def test_every_phoneme_of_every_sentence_is_mapped(espeak, accent):
    seen = {phone for text in read_sentences() for phone in say(espeak, accent, text)}
    assert seen <= set(ARPABET_71.names)
    assert set(ARPABET_71.names) - seen <= {"SPN", "UW0", "UW2"}


def test_unknown_phonemes_are_refused_by_name():
    with pytest.raises(DataError, match=r"found Q, y2$"):
        to_arpabet(["h", "'y2", "Q", "_:"], "en-us")


def test_first_vowel_gets_the_stress_and_pauses_are_silence():
    mnemonics = ["_", "'aI@", ",e@", "_:"]
    assert to_arpabet(mnemonics, "en") == [("SIL",), ("AY1", "AH0"), ("EH2", "AH0"), ("SIL",)]
