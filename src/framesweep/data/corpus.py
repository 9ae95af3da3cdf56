"""The interface between a corpus reader and the frame store."""

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
    """One utterance as its corpus stores it.

    Attributes:
        id: unique within its split.
        features: (T, D) floats.
        labels: (T,) integers, or None if the split has no labels.
        speaker: "" if the corpus does not name speakers.
    """

    id: str
    features: Array
    labels: Array | None
    speaker: str = ""


class Corpus(Protocol):
    """A corpus reader. It is cheap to construct and reads the data only in `utterances`.

    A reader raises DataError for what only it can see, such as a missing file or a malformed
    header. Lengths, shapes, label ranges and non-finite values are validated by the store's
    writer.
    """

    name: str
    """Short name of the format; the folder of the prepared corpus starts with it."""

    def source_key(self) -> dict[str, Any]:
        """Return everything that the content depends on, as JSON-serializable values.

        That is the size and the modification time in ns of each file, and each setting that
        changes what is read. Corpora with equal keys share one prepared corpus.
        """
        ...

    def splits(self) -> tuple[str, ...]:
        """Return the splits of this corpus in the order train, dev, test."""
        ...

    def num_utterances(self, split: str) -> int | None:
        """Return the number of utterances for progress bars; None if unknown in advance."""
        ...

    def utterances(self, split: str) -> Iterator[Utterance]:
        """Read the utterances one by one and yield them in corpus order."""
        ...

    def phone_set(self, num_classes: int) -> PhoneSet:
        """Return the names of the labels.

        Args:
            num_classes: the largest label that occurs, plus 1.
        """
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
