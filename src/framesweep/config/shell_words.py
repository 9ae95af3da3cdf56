"""Quotes commands that are printed for users, for the shells of their system."""

import re
import shlex
import sys
from collections.abc import Iterable

WINDOWS = sys.platform == "win32"

_PLAIN = re.compile(r"[\w%+=:./\\-]+")
"""Words that neither cmd nor PowerShell changes. PowerShell takes a comma for a list, and cmd a
caret for an escape."""


def join_command(words: Iterable[str], *, windows: bool = WINDOWS) -> str:
    """Return a command line that consists of these words.

    Args:
        words: the program and its arguments.
        windows: whether to quote for cmd and PowerShell, which both know double quotes, or for
            a POSIX shell. Between double quotes PowerShell still replaces `$NAME`, and cmd
            `%NAME%`; no quotes prevent both.
    """
    words = list(words)
    return " ".join(map(_quote_for_windows, words)) if windows else shlex.join(words)


def _quote_for_windows(word: str) -> str:
    """Return a word as programs on Windows read it back (Microsoft, "Parsing C command-line
    arguments"): a backslash is special only before a double quote.
    """
    if _PLAIN.fullmatch(word):
        return word
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', word)
    escaped = re.sub(r"(\\+)$", r"\1\1", escaped)
    return f'"{escaped}"'
