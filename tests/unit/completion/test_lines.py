"""A command line is split as a shell splits it, up to the cursor."""

import pytest

from framesweep.completion.lines import read_line, strip_broken_off


@pytest.mark.parametrize(
    ("line", "words", "current"),
    [
        ("framesweep", [], "framesweep"),
        ("framesweep ", ["framesweep"], ""),
        ("framesweep eval", ["framesweep"], "eval"),
        ("python train.py model=w", ["python", "train.py"], "model=w"),
        ("a 'b c' d", ["a", "b c"], "d"),
        ("a 'model.wi", ["a"], "model.wi"),
        ('a "x y', ["a"], "x y"),
        ("a b\\ c", ["a"], "b c"),
        ("a b\\", ["a"], "b"),
        ("a #b", ["a"], "#b"),
        ("", [], ""),
    ],
)
def test_words(line, words, current):
    assert read_line(line) == (words, current)


def test_bash_gets_what_follows_its_last_break():
    assert strip_broken_off("model=wide", "model=w", " =:") == "wide"
    assert strip_broken_off("data.context=", "data", " =:") == "data.context="
    assert strip_broken_off("model=wide", "model=w", "") == "model=wide"
