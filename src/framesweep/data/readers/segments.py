"""Reads audio with phone segments: TIMIT, Festival, HTK, Praat, the Montreal Forced Aligner."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from framesweep.config import DataConfig, SegmentsConfig
from framesweep.config.setting import ADDED
from framesweep.data.checks import MAX_CLASSES
from framesweep.data.corpus import Utterance
from framesweep.data.formats.audio import find_truncation
from framesweep.data.formats.names import normalize_name
from framesweep.data.phones import PhoneSet
from framesweep.data.readers.parallel import compute_in_parallel
from framesweep.data.readers.segments_files import MAX_EXAMPLES, UtteranceFiles
from framesweep.data.readers.segments_folders import describe_label_files
from framesweep.data.readers.segments_frames import (
    LONG_GAP,
    analyse,
    describe_problem,
    describe_samples,
    ends_early,
    read_names,
)
from framesweep.data.readers.segments_labels import (
    Labelling,
    build_labelling,
    number_labels,
)
from framesweep.data.readers.segments_splits import list_splits
from framesweep.data.readers.source_files import (
    find_listed_phones,
    is_number,
    read_phones,
    stamp_files,
)
from framesweep.errors import DataError
from framesweep.system.progress_bars import track

log = logging.getLogger(__name__)

PAIRING = "nearest center"
"""How a frame finds its label if data.match_length gives no rule. It is part of what identifies
a corpus, because earlier versions took the label of the interval that the center is in."""
NUM_CHECKED = 20
"""Number of utterances of a split whose durations are compared with their segments."""


class SegmentsCorpus:
    """Reads audio files and their segments, and computes features on all cores.

    The label of a frame is the segment that contains the center of its analysis window; frames
    that no segment contains get the label of data.gap_phone. The id of an utterance is the path
    of its audio file under data.audio.

    Attributes:
        parts_folder: where to keep features computed so far, so that an interrupted preparation
            can continue; None for a temporary folder.

    Raises:
        ConfigError: a key breaks its rule.
        DataError: files are missing or ambiguous, or too many audio files lack segments.
    """

    name = "segments"
    parts_folder: Path | None = None

    def __init__(self, config: SegmentsConfig) -> None:
        self._config = config
        self._phones = find_listed_phones(config.phones)
        for key, need in config.list_ineffective():
            log.warning("%s has no effect: it needs %s", key, need)
        self._splits = {
            split: _skip_unsegmented(config, split, utterances)[: config.max_utterances]
            for split, utterances in list_splits(config).items()
        }

    def source_key(self) -> dict[str, Any]:
        """Return a digest of all files' stamps, and every setting that changes the content."""
        # Keys that all corpora share act on the prepared corpus; the number of workers changes
        # nothing.
        shared = {field.name for field in fields(DataConfig)} - {"root", "max_utterances"}
        settings = {
            field.name: getattr(self._config, field.name)
            for field in fields(self._config)
            if field.name not in shared | {"workers"}
            # A later key must not make the prepared corpora of earlier versions stale.
            and not (
                field.metadata.get(ADDED) and getattr(self._config, field.name) == field.default
            )
        }
        if self._config.format == "frames" and self._config.match_length == "none":
            settings["pairing"] = PAIRING
        digest = hashlib.blake2b(str(stamp_files([self._phones])).encode(), digest_size=16)
        for split, utterances in self._splits.items():
            for files in utterances:
                stamps = sorted(stamp_files([files.audio, files.segments]).items())
                digest.update(f"{split} {files.id} {stamps}\n".encode())
        return {"settings": settings, "files": digest.hexdigest()}

    def splits(self) -> tuple[str, ...]:
        """Return train, dev, and test if it is present."""
        return tuple(self._splits)

    def num_utterances(self, split: str) -> int:
        """Return the number of audio files in the split, without those that are skipped."""
        return len(self._splits[split])

    def utterances(self, split: str) -> Iterator[Utterance]:
        """Yield the utterances sorted by id; other processes compute them in advance."""
        utterances = self._splits[split]
        frames = compute_in_parallel(
            partial(analyse, config=self._config, ids=self._labelling.ids),
            utterances,
            folder=self.parts_folder,
            name=split,
            workers=self._config.workers,
        )
        ends: list[bool] = []
        cut_off: list[str] = []
        for files, (features, labels) in zip(utterances, frames, strict=True):
            if len(ends) < NUM_CHECKED:
                ends.append(ends_early(files, self._config, len(features)))
            if not self._config.has_stored_features and (cut := find_truncation(files.audio)):
                cut_off.append(f"{files.audio}: {cut}")
            yield Utterance(files.id, features, labels, files.speaker)
        if cut_off:
            rule = "%s: audio files that are cut off are read up to there (%d, such as %s)"
            log.warning(rule, split, len(cut_off), cut_off[0])
        if sum(ends) > len(ends) / 2:
            self._warn_of_early_ends(split, sum(ends), len(ends), utterances[ends.index(True)])

    def _warn_of_early_ends(
        self, split: str, number: int, num_checked: int, example: UtteranceFiles
    ) -> None:
        config = self._config
        if config.has_stored_features:
            what, question = "features", f"is data.shift_ms={config.shift_ms:g} right?"
        else:
            samples = describe_samples(example, config)
            what, question = "audio", f"{samples}." if samples else "is all of it labelled?"
        log.warning(
            "%s: the segments of %d of %d utterances end before the last %.0f%% of their "
            "%s: %s",
            *(split, number, num_checked, 100 * LONG_GAP, what, question),
        )

    def phone_set(self, num_classes: int) -> PhoneSet:
        """Return the phones in data.phones, else all of the corpus, sorted; after data.fold."""
        return self._labelling.phones

    def find_problems(self) -> list[str]:
        """Describe cut off audio, and segments that disagree with it: a line per utterance."""
        problems = []
        for split, utterances in self._splits.items():
            for files in track(utterances, f"Checking {split}", len(utterances)):
                try:
                    problem = describe_problem(files, self._config)
                except DataError as error:  # for which preparing stops at the first file
                    problem = str(error)
                if problem:
                    problems.append(f"{split} {files.id}: {problem}")
        return problems

    @cached_property
    def _labelling(self) -> Labelling:
        """The labelling by the names in all segment files, which are read for this."""
        config = self._config
        names: dict[str, Path] = {}
        labelled = [
            (u, u.segments) for split in self._splits.values() for u in split if u.segments
        ]
        for files, path in track(labelled, "Collecting phones", len(labelled)):
            found = read_names(config, files, path)
            names |= dict.fromkeys([name for name in found if name not in names], path)
            # A tier of words instead of phones would otherwise only be noticed much later.
            if len(names) > MAX_CLASSES:
                rule = f"a corpus must have at most {MAX_CLASSES:,} phones"
                fix = "Check data.tier and data.format."
                raise DataError(path, rule, found=found[0], fix=fix)
        listed = None if self._phones is None else read_phones(self._phones)
        if names and all(map(is_number, names)):
            if config.format == "frames":
                return number_labels(names, listed)
            if listed is None:
                log.warning(
                    "all phones are numbers: data.phones=phones.txt, as Kaldi's, names them"
                )
        gap = None if config.gap_phone is None else normalize_name(config.gap_phone)
        fold = None if config.fold is None else str(config.fold)
        return build_labelling(names, listed, gap, fold)


def _skip_unsegmented(
    config: SegmentsConfig, split: str, utterances: list[UtteranceFiles]
) -> list[UtteranceFiles]:
    """Return the utterances that have segments; or all of test if none has."""
    unsegmented = [files.id for files in utterances if files.segments is None]
    if not unsegmented or (split == "test" and len(unsegmented) == len(utterances)):
        return utterances
    counts = f"{len(unsegmented)} of {len(utterances)}"
    examples = ", ".join(unsegmented[:MAX_EXAMPLES])
    if len(unsegmented) > config.max_missing * len(utterances):
        rule = (
            f"at most {config.max_missing:.0%} of the audio files in {split} may lack segments"
        )
        fix = describe_label_files(config, set(unsegmented))
        if len(unsegmented) < len(utterances):
            fix += " Or raise data.max_missing, or leave them out with data.exclude."
        raise DataError("data.max_missing", rule, found=f"{counts}: {examples}", fix=fix)
    log.warning("%s: skipping %s audio files without segments: %s", split, counts, examples)
    return [files for files in utterances if files.segments is not None]
