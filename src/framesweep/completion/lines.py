"""Splits a command line as a shell does, up to a word that is not finished yet."""

import io
import shlex


def read_line(line: str) -> tuple[list[str], str]:
    """Return the finished words of a line, and what has been typed of the last one.

    Quotes and backslashes are removed; a quote that is still open belongs to the last word.
    """
    stream = io.StringIO(line)
    lexer = shlex.shlex(stream, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    start = 0
    try:
        for word in lexer:
            words.append(word)
            start = stream.tell()
    except ValueError:  # a quote is open, or a backslash is last
        return words, line[start:].lstrip(" \t").lstrip("'\"").rstrip("\\")
    if words and not line[-1:].isspace():
        return words[:-1], words[-1]
    return words, ""


def strip_broken_off(text: str, typed: str, breaks: str) -> str:
    """Return the part of a candidate after the last break in what has been typed.

    bash takes `=` and `:` for the beginning of a new word, and replaces only that one.
    """
    last = max(
        (typed.rfind(character) for character in breaks if character in "=:@"), default=-1
    )
    return text[last + 1 :]
