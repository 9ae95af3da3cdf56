"""Printed commands are read back as the same words by the shells of each system."""

import shlex
import subprocess

import pytest

from framesweep.config.shell_words import join_command

WORDS = [
    ["framesweep", "predict", "abc123", "--out", r"C:\Users\me\a.csv"],
    ["python", r"C:\Program Files\my project\train.py", "data.context=5"],
    ["a", "optim.lr=tag(log,interval(1e-5,1e-1))", "model.widths=[1, 2]"],
    ["a", "data.root='C:/it is here'", 'say="x y"', "back\\", "two words\\", 'quote\\"', ""],
    ["a", "x&y", "x|y", "a<b>c", "50%", "a^b", "@list", "Größe"],
]


def read_windows(line: str) -> list[str]:
    """Return the words of a line as programs on Windows read them.

    Microsoft, "Parsing C command-line arguments": 2n backslashes before a quote are n of them,
    and one more makes the quote a character.
    """
    words, word, quoted, backslashes, begun = [], "", False, 0, False
    for character in line:
        if character == "\\":
            backslashes, begun = backslashes + 1, True
            continue
        if character == '"':
            word += "\\" * (backslashes // 2)
            if backslashes % 2:
                word += '"'
            else:
                quoted = not quoted
            begun = True
        else:
            word += "\\" * backslashes
            if character == " " and not quoted:
                words += [word] if begun else []
                word, begun = "", False
            else:
                word, begun = word + character, True
        backslashes = 0
    word += "\\" * backslashes
    return [*words, word] if begun else words


@pytest.mark.parametrize("words", WORDS)
def test_each_system_reads_the_same_words(words):
    assert read_windows(join_command(words, windows=True)) == words
    assert read_windows(subprocess.list2cmdline(words)) == words  # the reader is right
    assert shlex.split(join_command(words, windows=False)) == words


def test_windows_gets_double_quotes_only_where_they_are_needed():
    line = join_command(["framesweep", r"C:\a\b", "k=v", "a b", "f(x,y)"], windows=True)
    assert line == r'framesweep C:\a\b k=v "a b" "f(x,y)"'


def test_what_cmd_or_powershell_would_change_is_quoted():
    for character in "&|<>^(),;'`@#{}[]!* ":
        assert join_command([f"a{character}b"], windows=True) == f'"a{character}b"'
