"""Labels audio files with trained runs, and writes one label file for each."""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from framesweep.data.formats import audio
from framesweep.data.formats.audio import find_truncation, read_audio_info
from framesweep.data.formats.segment_writers import (
    SUFFIX_OF_FORMAT,
    LabelFormat,
    Recording,
    format_segments,
)
from framesweep.data.readers.folder_walk import walk
from framesweep.data.readers.segments_files import prefer_originals, validate_encoding
from framesweep.errors import CheckpointError, ConfigError, DataError
from framesweep.evaluation.label_plot import write_label_plot
from framesweep.evaluation.labeller import Decoding, Labeller
from framesweep.evaluation.smoother_file import SMOOTHER
from framesweep.evaluation.viterbi import Smoother
from framesweep.runs.ensembles.predictions import load_trained_run, require_model, tune_for
from framesweep.runs.reporting.run_log import MODEL_FOLDER
from framesweep.system.atomic_files import write_text
from framesweep.system.progress_bars import track

log = logging.getLogger(__name__)

Existing = Literal["refuse", "skip", "overwrite"]
"""What to do where a label file exists already."""


@dataclass(frozen=True, slots=True)
class Input:
    """An audio file to label.

    Attributes:
        id: Its path below the folder that was given, without its suffix: that of the label file
            below the output folder.
        path: The file.
    """

    id: str
    path: Path


@dataclass(slots=True)
class Summary:
    """What was labelled: numbers of files and phones, seconds of audio, and what was wrong."""

    num_files: int = 0
    num_skipped: int = 0
    num_phones: int = 0
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)
    failures: list[DataError] = field(default_factory=list)


def load_labeller(directories: Sequence[Path], *, smooth: bool = False) -> Labeller:
    """Load the model of a run, or an ensemble of the models of several.

    Args:
        directories: The directories of the runs.
        smooth: Whether to smooth with Viterbi. The smoother is that of the model; runs of
            earlier versions, which did not store it, need their corpus to tune it again.

    Raises:
        CheckpointError: if a run has not finished, or its files are damaged.
        DataError: if the runs do not belong together, or a corpus is needed but cannot be read.
    """
    folders = [require_model(directory) for directory in directories]
    if not smooth or all((folder / SMOOTHER).exists() for folder in folders):
        labeller = Labeller.load(*folders, smooth=smooth)
    else:
        labeller = Labeller.load(*folders, smoother=_tune_on_corpus(directories))
    if any(predictor.normalizer.kind == "speaker" for predictor in labeller.predictors):
        log.info(
            "data.normalize=speaker: each recording is normalized by itself, because no other "
            "one of its speaker is known"
        )
    return labeller


def _tune_on_corpus(directories: Sequence[Path]) -> Smoother:
    log.info("a model has no smoother, which is now tuned on the corpus")
    try:
        return tune_for([load_trained_run(directory) for directory in directories])
    except (ConfigError, DataError) as error:
        raise CheckpointError(
            directories[0] / MODEL_FOLDER,
            f"must contain {SMOOTHER}, or else its corpus must be readable ({error})",
            fix="Label without --smooth.",
        ) from None


def find_inputs(paths: Iterable[Path]) -> list[Input]:
    """Return the audio files among `paths`, and all audio files in folders among them.

    Files that are given by name may have any suffix. Labels of two inputs must not be one file.

    Raises:
        DataError: if a path does not exist, a folder contains no audio file, or two files would
            have the same label file.
    """
    inputs: dict[str, Input] = {}
    for path in paths:
        if path.is_dir():
            found = _list_folder(path)
        elif path.exists():
            found = [Input(path.stem, path)]
        else:
            raise DataError(path, "must be an existing audio file or folder")
        for item in found:
            other = inputs.setdefault(item.id, item)
            if other.path != item.path:
                raise _ambiguous(other.path, item.path)
    return list(inputs.values())


def _list_folder(folder: Path) -> list[Input]:
    by_id: dict[str, Path] = {}
    for path in sorted(walk(folder)):
        if path.suffix.lower() not in audio.SUFFIXES:
            continue
        validate_encoding(path)
        id = path.relative_to(folder).as_posix().removesuffix(path.suffix)
        if id in by_id:
            raise _ambiguous(by_id[id], path)
        by_id[id] = path
    if not by_id:
        rule = f"must contain audio files: {', '.join(audio.SUFFIXES)}"
        raise DataError(folder, rule)
    return [Input(id, path) for id, path in prefer_originals(by_id).items()]


def _ambiguous(one: Path, other: Path) -> DataError:
    rule = f"must have another name than {one}, because both would have the same label file"
    return DataError(other, rule, fix="Label them with different --out.")


def _require_new(targets: Collection[Path]) -> None:
    """Raise ConfigError if any of the label files exists."""
    found = [target for target in targets if target.exists()]
    if found:
        raise ConfigError(
            "--out",
            f"must not contain label files of these inputs, such as {found[0]}",
            found=f"{len(found)} of {len(targets)}",
            fix="Use --existing=skip or --existing=overwrite.",
        )


def _require_picture(plot: Path, existing: Existing) -> None:
    """Raise ConfigError if a picture must not be written to this path, as to that of audio."""
    if plot.suffix.lower() != ".png":
        raise ConfigError("--plot", "must end with .png", found=str(plot))
    if existing == "refuse" and plot.exists():
        fix = "Use --existing=overwrite, or another name."
        raise ConfigError("--plot", "must not exist", found=str(plot), fix=fix)


def label_files(
    labeller: Labeller,
    inputs: Sequence[Input],
    out: Path,
    kind: LabelFormat,
    existing: Existing = "refuse",
    plot: Path | None = None,
) -> Summary:
    """Label audio files and write `<out>/<id><suffix>` for each, atomically.

    A file that cannot be labelled does not stop the others; a single one does.

    Args:
        labeller: The model.
        inputs: The files.
        out: The folder of the label files.
        kind: Their format.
        existing: What to do where a label file exists already.
        plot: The picture to draw of the only input, if any.

    Raises:
        ConfigError: if label files or the plot exist and must not be replaced, or the plot is
            not named as a PNG file.
        DataError: if the run knows no audio, or the only input cannot be labelled.
    """
    labeller.require_featurization()
    targets = {item: out / f"{item.id}{SUFFIX_OF_FORMAT[kind]}" for item in inputs}
    if existing == "refuse":
        _require_new(targets.values())
    if plot is not None:
        _require_picture(plot, existing)
    chosen = [item for item in inputs if existing != "skip" or not targets[item].exists()]
    summary = Summary(num_skipped=len(inputs) - len(chosen))
    for item in track(chosen, "Labelling", len(chosen)):
        try:
            decoding = _label_file(labeller, item, targets[item], kind, summary)
            if plot is not None:
                _plot(labeller, item, decoding, plot)
        except DataError as error:
            if len(inputs) == 1:
                raise
            summary.failures.append(error)
    # Not before, because lines would break the progress bar.
    for warning in summary.warnings:
        log.warning(warning)
    for failure in summary.failures:
        log.warning("not labelled: %s", failure)
    return summary


def _label_file(
    labeller: Labeller, item: Input, target: Path, kind: LabelFormat, summary: Summary
) -> Decoding:
    decoding = labeller.decode(item.path)
    segments = decoding.segments
    sample_rate, _ = read_audio_info(item.path)
    write_text(target, format_segments(kind, segments, Recording(item.id, sample_rate)))
    summary.num_files += 1
    summary.num_phones += len(segments)
    summary.seconds += segments[-1].end_s
    if missing := find_truncation(item.path):
        summary.warnings.append(f"{item.path}: {missing}; labelled up to there")
    return decoding


def _plot(labeller: Labeller, item: Input, decoding: Decoding, path: Path) -> None:
    sample_rate = labeller.require_featurization().sample_rate
    samples, _ = audio.read_audio(item.path, sample_rate)
    write_label_plot(path, decoding, labeller.phones, samples, sample_rate)
