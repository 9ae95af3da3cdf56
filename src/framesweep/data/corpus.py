"""What a reader of one corpus format gives to the frame store."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy.typing as npt

from framesweep.data.phones import PhoneSet

SPLITS = ("train", "dev", "test")
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One utterance as its corpus has it.

    Attributes:
        id: unique within its split.
        features: (T, D) floating point.
        labels: (T,) integers, or None where the split comes without labels.
        speaker: empty where the corpus does not tell.
    """

    id: str
    features: Array
    labels: Array | None
    speaker: str = ""


class Corpus(Protocol):
    """A reader: cheap to construct; reads only in `utterances`.

    Readers raise DataError for what only they can see (a missing file, a broken header).
    Lengths, ranks, label ranges and non-finite values are checked by whoever fills the store.
    """

    name: str
    """Short name of the format, the prefix of the store's folder."""

    def source_key(self) -> dict[str, Any]:
        """JSON-able description of everything the content depends on: files with size and
        modification time in ns, and the settings that change what is read."""
        ...

    def splits(self) -> tuple[str, ...]:
        """The splits this corpus has, in the order train, dev, test."""
        ...

    def num_utterances(self, split: str) -> int | None:
        """For progress; None where it is not known before reading."""
        ...

    def utterances(self, split: str) -> Iterator[Utterance]:
        """The utterances in corpus order, read one by one."""
        ...

    def phone_set(self, num_classes: int) -> PhoneSet:
        """Names of the labels; `num_classes` is the largest label seen plus one."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """A corpus whose reading takes long and can continue after an interruption."""

    parts_folder: Path | None
    """Folder for what has been read so far; None to keep nothing."""


@runtime_checkable
class SelfChecking(Protocol):
    """A corpus that can look for problems in its files which the prepared corpus hides."""

    def find_problems(self) -> list[str]:
        """Describe each problem in one line."""
        ...
