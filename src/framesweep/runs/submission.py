"""The CSV of a submission to Kaggle.

A competition comes with a sample of its submissions. It decides the header and the number of
rows, so the predictions are compared with it before anything is written.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal, cast

from framesweep.config import Hw1p2Config, Hw1p2FoldersConfig, RunConfig
from framesweep.config.readers.ntu import NtuConfig
from framesweep.data.formats.npy_zip import ZIP_ERRORS
from framesweep.data.phones import describe_numbering
from framesweep.data.readers.course_root import open_course_root
from framesweep.data.readers.source_files import FilePath
from framesweep.errors import ConfigError, DataError
from framesweep.runs.ensembles.predictions import TrainedRun

SAMPLE_NAMES = ("sample_submission.csv", "random_submission.csv")
"""Names of the sample, in the root of the corpus or in the folder of its test split."""

HEADER = ("id", "label")
"""The columns of a submission unless its sample or its course names them otherwise."""

OLD_SAMPLE_NAME = "sampleSubmission.csv"
"""Name of the sample in Kaggle's older competitions, which is found in the same folders."""

NTU_HEADER = ("Id", "Class")
"""The columns of a submission to NTU's course."""

COURSES = (Hw1p2Config, Hw1p2FoldersConfig, NtuConfig)
"""Configs of corpora that are read as they were downloaded."""

ID_NAMES = ("id", "index")
LABEL_NAMES = ("label", "labels", "class", "phone", "phoneme", "prediction")
"""What samples call the two columns, in lower case."""

Labels = Literal["id", "phone"]
"""Whether a label is written as its number or as the name of its phone."""

NAMELESS = "the phones of the run have no names"
NAMES_FIX = "Train with data.phones=FILE, which has the names of the phones in their order."


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample submission whose ids are 0, 1, 2, ...

    Attributes:
        header: its two columns.
        num_rows: its rows below the header.
        labels: whether it has numbers or names; None if all of its labels are empty.
    """

    path: FilePath
    header: tuple[str, str]
    num_rows: int
    labels: Labels | None


def find_checked_sample(run: TrainedRun, split: str) -> Sample | None:
    """Return the sample submission of a run's corpus, which fits the predictions of `split`.

    Return None if there is no sample, or if it is not test that is predicted.

    Raises:
        DataError: it does not fit, or the corpus has no such split.
    """
    run.require_split(split)
    path = find_sample(run.config) if split == "test" else None
    if path is None:
        return None
    sample = read_sample(path)
    require_rows(sample, run.store.splits[split].num_frames, run.config)
    return sample


def find_sample(config: RunConfig) -> FilePath | None:
    """Return the sample submission in the folder of the corpus, or None.

    As the corpus of a course itself, it may be in a zip file, or in a folder within data.root.
    """
    partition = str(getattr(config.data, "test_partition", "test"))

    def find(folder: FilePath) -> FilePath | None:
        places = (folder, folder / partition, folder / partition / "transcript")
        names = (*SAMPLE_NAMES, OLD_SAMPLE_NAME)
        paths = (place / name for place in places for name in names)
        return next((path for path in paths if path.is_file()), None)

    if config.data.root is None:
        return None
    if not isinstance(config.data, COURSES):
        return find(Path(config.data.root))
    try:
        return find(open_course_root(config.data.root, lambda folder: find(folder) is not None))
    except (DataError, OSError):  # there are several, or a folder that may not be read
        return None


def read_sample(path: FilePath) -> Sample:
    """Read a sample submission.

    Raises:
        DataError: it is no CSV file, has other columns than an id and a label, or its ids are
            not 0, 1, 2, ...
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = (row for row in csv.reader(file) if row)
            header = _require_header(path, next(rows, []))
            return _read_rows(path, header, rows)
    except (UnicodeDecodeError, csv.Error, *ZIP_ERRORS) as error:
        raise DataError(path, f"must be a readable CSV file ({error})") from None


def _require_header(path: FilePath, row: list[str]) -> tuple[str, str]:
    names = [name.strip().lower() for name in row]
    if len(names) != 2 or names[0] not in ID_NAMES or names[1] not in LABEL_NAMES:
        raise DataError(
            path,
            "must have the columns id and label, as the predictions have",
            found=",".join(row)[:80],
        )
    return row[0], row[1]


def _read_rows(path: FilePath, header: tuple[str, str], rows: Iterator[list[str]]) -> Sample:
    num_rows = 0
    labels: Labels | None = None
    for expected, row in zip(count(), rows, strict=False):
        if len(row) != 2 or row[0].strip() != str(expected):
            rule = f"row {expected + 1} must have the id {expected} and a label"
            raise DataError(path, rule, found=",".join(row)[:80])
        label = row[1].strip()
        if label and labels != "phone":
            labels = "id" if label.isdecimal() else "phone"
        num_rows += 1
    return Sample(path, header, num_rows, labels)


def require_rows(sample: Sample, num_frames: int, config: RunConfig) -> None:
    """Raise DataError unless the sample has as many rows as there are predictions."""
    if sample.num_rows != num_frames:
        limited = config.data.max_utterances is not None
        raise DataError(
            sample.path,
            f"must have {num_frames:,} rows below its header, one for each frame of test",
            found=sample.num_rows,
            fix="Pass --set data.max_utterances=null."
            if limited
            else "Use the corpus that belongs to this sample.",
        )


def choose_labels(run: TrainedRun, sample: Sample | None, asked: str | None) -> Labels:
    """Return how labels are written: as the user asks, else as in the sample, if there is one.

    The phones of `data=hw1p2_folders` are names in the transcripts as well.

    Raises:
        ConfigError: the user asks for names that the run does not have, or for another kind of
            labels than the sample has.
        DataError: the sample has names, but the run has none.
    """
    has_names = run.store.phones.has_names
    expected = None if sample is None else sample.labels
    if sample is not None and expected == "phone" and not has_names:
        rule = f"must have numbers as labels, because {NAMELESS}"
        raise DataError(sample.path, rule, found="names", fix=NAMES_FIX)
    if asked == "phone" and not has_names:
        raise ConfigError("--labels", f"must be id, because {NAMELESS}", fix=NAMES_FIX)
    if sample is not None and expected is not None and asked not in (None, expected):
        kind = "names" if expected == "phone" else "numbers"
        rule = f"must be {expected}, because {sample.path} has {kind}"
        raise ConfigError("--labels", rule, found=asked, fix="Leave it out.")
    default: Labels = "phone" if isinstance(run.config.data, Hw1p2FoldersConfig) else "id"
    return cast(Labels, asked or expected or default)


def describe_labels(run: TrainedRun, labels: Labels) -> str:
    """Return one line that says how labels are numbered, and which of the two is written."""
    written = "names" if labels == "phone" else "numbers"
    return f"{describe_numbering(run.store.phones)}; {written} are written"


def describe_check(run: TrainedRun, sample: Sample | None) -> str:
    """Return one line that says with which sample the rows were compared."""
    if sample is not None:
        return f"header, rows and ids are those of {sample.path}"
    where = run.config.data.root or "the corpus"
    names = f"{', '.join(SAMPLE_NAMES)} or {OLD_SAMPLE_NAME}"
    return f"no {names} in {where} to compare the rows with"


def describe_limit(run: TrainedRun) -> list[str]:
    """Return a line that says how many utterances are predicted, if it is not all of them."""
    limit = run.config.data.max_utterances
    if limit is None:
        return []
    fix = "--set data.max_utterances=null takes all"
    return [f"only the first {limit:,} utterances, as data.max_utterances={limit} says; {fix}"]


def find_header(config: RunConfig) -> tuple[str, str]:
    """Return the columns that the course of the corpus expects of a submission."""
    return NTU_HEADER if isinstance(config.data, NtuConfig) else HEADER


def format_csv(
    predictions: Sequence[int],
    names: Sequence[str],
    labels: Labels,
    sample: Sample | None,
    header: tuple[str, str] = HEADER,
) -> str:
    """Return the submission as text: an id and a label per frame, in order.

    The columns are those of the sample, or `header` without one.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(sample.header if sample is not None else header)
    writer.writerows(
        (index, names[label] if labels == "phone" else label)
        for index, label in enumerate(predictions)
    )
    return file.getvalue()
