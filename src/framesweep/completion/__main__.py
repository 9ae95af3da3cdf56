"""python -m framesweep.completion SHELL LINE: print what can follow the line.

The first line of the output is `words`, or `files` or `dirs` if the shell should complete their
names. Each further line has the text that replaces the shell's current word, a tab, and a note.
A text that ends with a space is complete.
"""

import os
import sys
from collections.abc import Sequence
from typing import Literal

from framesweep.completion.arguments import complete_command
from framesweep.completion.candidates import Answer
from framesweep.completion.lines import read_line, strip_broken_off
from framesweep.completion.overrides import complete_overrides

Shell = Literal["bash", "zsh"]


def main(arguments: Sequence[str]) -> None:
    """Print the completions of a command line up to the cursor."""
    shell, line = arguments[0], arguments[1]
    breaks = os.environ.get("COMP_WORDBREAKS", "") if shell == "bash" else ""
    for text in render(line, breaks):
        print(text)


def render(line: str, breaks: str) -> list[str]:
    """Return the lines that the shell's function reads.

    Args:
        line: the command line up to the cursor.
        breaks: characters at which the shell begins a new word, even within an argument; it
            expects only what follows the last of them.
    """
    words, current = read_line(line)
    answer = _complete(words, current)
    if isinstance(answer, str):
        return [answer]
    return [
        "words",
        *(
            f"{strip_broken_off(one.text, current, breaks)}{' ' * one.is_final}\t"
            f"{' '.join(one.note.split())}"
            for one in answer
        ),
    ]


def _complete(words: Sequence[str], current: str) -> Answer:
    if not words:
        return []
    for number, word in enumerate(words):
        if os.path.basename(word) == "train.py":  # noqa: PTH119 - it never raises
            return complete_overrides(words[number + 1 :], current)
    return complete_command(words[1:], current)


if __name__ == "__main__":
    main(sys.argv[1:])
