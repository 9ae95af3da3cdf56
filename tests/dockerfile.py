"""Reads a Dockerfile as Docker does, as far as this project's needs it."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

INSTRUCTIONS = {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "FROM", "RUN", "WORKDIR"}
"""The instructions that are understood; the reference has more."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, with its lines joined."""

    name: str
    text: str

    @property
    def pairs(self) -> dict[str, str]:
        """The names and values of ARG or ENV."""
        return dict(word.partition("=")[::2] for word in self.text.split())

    @property
    def words(self) -> list[str]:
        """The words of CMD or ENTRYPOINT in JSON, or those of COPY."""
        return list(json.loads(self.text)) if self.text[0] == "[" else self.text.split()


def read_dockerfile(path: Path) -> list[Instruction]:
    """Return the instructions of a Dockerfile.

    Raises:
        ValueError: a line is no instruction, or the first that is not ARG is not FROM.
    """
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    instructions = []
    for line in filter(str.strip, joined.splitlines()):
        name, _, text = line.partition(" ")
        if name not in INSTRUCTIONS or not text.strip():
            raise ValueError(f"no instruction: {line}")
        instructions.append(Instruction(name, text.strip()))
    if next(each.name for each in instructions if each.name != "ARG") != "FROM":
        raise ValueError("the first instruction must be FROM")
    return instructions
