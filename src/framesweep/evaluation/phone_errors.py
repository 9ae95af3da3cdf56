"""The phone error rate: how far the recognized sequences of phones are from the true ones.

The phones of an utterance's frames are merged into a sequence, in which successive frames of
one phone are one phone. The rate is the smallest number of substitutions, deletions and
insertions (Levenshtein, 1966) that turn the recognized sequences into the true ones, divided by
the number of true phones. It can exceed 1.

Phones are folded, and silence is scored, as is usual for TIMIT. Lee and Hon
("Speaker-independent phone recognition using hidden Markov models", IEEE Trans. ASSP 37(11),
1989) score 39 classes. Silence is one of them: it counts as a phone like any other, closures
and pauses are merged into it, and so are successive silences. The glottal stop q is removed
from both sequences before they are compared. Kaldi's recipe for TIMIT
(egs/timit/s5/local/score_sclite.sh) differs in that true silences may be deleted at no cost, so
that its rates are a little lower.

Two successive true phones of one name are one here, because frames do not show the boundary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesweep.data.phone_segments import find_starts
from framesweep.data.phones import Folding, PhoneSet

Ints = npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class PhoneSequences:
    """The sequences of phones of U utterances, S phones in all.

    Attributes:
        ids: (S,) ids of the phones, utterance after utterance.
        utterances: (S,) number of each phone's utterance.
        num_utterances: U.
    """

    ids: Ints
    utterances: Ints
    num_utterances: int

    @classmethod
    def collapse(cls, path: Tensor, lengths: Tensor) -> Self:
        """Merge successive frames of one phone.

        It computes on the device of the path, so that only the merged phones are copied.

        Args:
            path: (N,) integer ids of the frames' phones, utterance after utterance.
            lengths: (U,) int64 number of frames of each utterance, at least 1.
        """
        ends = lengths.cumsum(dim=0)
        starting = torch.ones(len(path), dtype=torch.bool, device=path.device)
        torch.ne(path[1:], path[:-1], out=starting[1:])
        starting[ends[:-1]] = True
        starts = starting.nonzero().squeeze(dim=1)
        utterances = torch.searchsorted(ends, starts, right=True)
        ids = path[starts].long()
        return cls(ids.cpu().numpy(), utterances.cpu().numpy(), len(ends))

    def _merged(self) -> Self:
        """Merge successive phones of one id in the same utterance."""
        largest = int(self.ids.max(initial=0))
        # One number per id, from -1 on, and utterance.
        starts = find_starts(self.utterances * (largest + 2) + self.ids)
        return type(self)(self.ids[starts], self.utterances[starts], self.num_utterances)

    def fold(self, classes: Sequence[int]) -> Self:
        """Replace ids by their classes, merge successive ones, and remove the class -1."""
        folded = type(self)(
            np.asarray(classes)[self.ids], self.utterances, self.num_utterances
        )._merged()
        kept = folded.ids >= 0
        return type(self)(folded.ids[kept], folded.utterances[kept], self.num_utterances)

    def to_texts(self) -> list[str]:
        """Return each utterance as a text with one character per phone.

        Of texts, rapidfuzz computes distances much faster than of lists. Ids are below 10,000,
        so that no character is a surrogate.
        """
        text = self.ids.astype("<u4").tobytes().decode("utf-32-le")
        counts = np.bincount(self.utterances, minlength=self.num_utterances)
        ends = np.cumsum(counts).tolist()
        return [text[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)]


@dataclass(frozen=True, slots=True)
class PhonePaths:
    """The true and the predicted sequences of phones of the same utterances."""

    true: PhoneSequences
    predicted: PhoneSequences

    @classmethod
    def from_frames(cls, labels: Tensor, predictions: Tensor, lengths: Tensor) -> Self:
        """Collapse the phones of frames; the arguments are as in `PhoneSequences.collapse`."""
        true = PhoneSequences.collapse(labels, lengths)
        return cls(true, PhoneSequences.collapse(predictions, lengths))


def compute_phone_error_rate(paths: PhonePaths, classes: Sequence[int]) -> float:
    """Return the phone error rate over all utterances; NaN if there are no true phones.

    Args:
        paths: The true and the predicted phones.
        classes: For each of the C phones the class that it counts as, or -1 if it is removed,
            as `merge_silences` and `fold_phones` return them.
    """
    from rapidfuzz.distance import Levenshtein

    true = paths.true.fold(classes)
    predicted = paths.predicted.fold(classes)
    edits = sum(map(Levenshtein.distance, true.to_texts(), predicted.to_texts()))
    return edits / len(true.ids) if len(true.ids) else float("nan")


def merge_silences(phones: PhoneSet) -> tuple[int, ...]:
    """Return the classes of a phone set in which all silences are one."""
    silences = phones.silence_ids
    return tuple(silences[0] if i in silences else i for i in range(len(phones)))


def fold_phones(phones: PhoneSet, folding: Folding) -> tuple[int, ...]:
    """Return the classes of a phone set after a folding, in which all silences are one."""
    classes, folded = folding.classes(phones)
    merged = merge_silences(folded)
    return tuple(-1 if index < 0 else merged[index] for index in classes)
