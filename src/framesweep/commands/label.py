"""framesweep label: write the phones of audio files, with times, as label files."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from framesweep.commands.common.options import find_directories, tracking_options
from framesweep.commands.common.output import echo_result, json_option

if TYPE_CHECKING:
    from framesweep.runs.labelling import Summary

FORMATS = ("textgrid", "lab", "phn", "ctm", "csv")


@click.command()
@click.argument("arguments", metavar="RUN_ID... FILE_OR_FOLDER...", nargs=-1, required=True)
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    default="textgrid",
    show_default=True,
    help="Format of the label files: Praat's, HTK's, TIMIT's, NIST's, or a table.",
)
@click.option("--smooth", is_flag=True, help="Smooth the phones with Viterbi.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("labels"),
    show_default=True,
    help="Folder of the label files, which are arranged as the audio files.",
)
@click.option(
    "--existing",
    type=click.Choice(["refuse", "skip", "overwrite"]),
    default="refuse",
    show_default=True,
    help="What to do if label files exist already.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also draw the spectrogram, the phones and their posteriors of one file as PNG.",
)
@json_option
@tracking_options
def command(
    arguments: tuple[str, ...],
    *,
    kind: Any,
    smooth: bool,
    out: Path,
    existing: Any,
    plot: Path | None,
    as_json: bool,
    uri: str | None,
    outputs: Path,
) -> None:
    """Write the phones of audio files, with times and mean posteriors.

    Audio is resampled and its features are computed as those that the run was trained on.
    Several runs form an ensemble, whose probabilities are averaged. A folder stands for all
    audio files in it and its subfolders.
    """
    import torch

    from framesweep.errors import ConfigError
    from framesweep.runs.labelling import find_inputs, label_files, load_labeller
    from framesweep.system.cores import count_physical_cores

    # By default torch ignores the quota of a container.
    torch.set_num_threads(count_physical_cores())
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    run_ids, paths = split_arguments(arguments)
    inputs = find_inputs(Path(path) for path in paths)
    if plot is not None and len(inputs) != 1:
        rule = "must be used with one audio file"
        raise ConfigError("--plot", rule, found=f"{len(inputs)} files")
    directories = find_directories(run_ids, uri, outputs)
    labeller = load_labeller(directories, smooth=smooth)
    summary = label_files(labeller, inputs, out, kind, existing, plot)
    drawn = plot if summary.num_files else None
    _print_summary(summary, len(inputs), out, drawn, as_json=as_json)


def split_arguments(arguments: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return the runs and the audio files and folders in `RUN_ID... FILE_OR_FOLDER...`.

    The first argument is a run, and the last one is audio. Between them, audio starts with the
    first argument that is a file or folder, except the folder of a run, or looks like one.

    Raises:
        click.UsageError: if there are not two arguments.
    """
    if len(arguments) < 2:
        raise click.UsageError("Give at least one RUN_ID and one FILE_OR_FOLDER.")
    last = len(arguments) - 1
    start = next((i for i in range(1, last) if _is_audio(arguments[i])), last)
    return list(arguments[:start]), list(arguments[start:])


def _is_audio(name: str) -> bool:
    from framesweep.data.formats.audio import SUFFIXES

    path = Path(name)
    if path.exists():
        return not (path / "config.yaml").exists()
    return path.suffix.lower() in SUFFIXES or "/" in name or os.sep in name


def _print_summary(
    summary: Summary, num_inputs: int, out: Path, plot: Path | None, *, as_json: bool
) -> None:
    from framesweep.errors import DataError

    counts = f"{summary.num_files:,} of {num_inputs:,} files"
    found = f"{summary.num_phones:,} phones in {summary.seconds:,.1f} s of audio"
    skipped = (
        f"; {summary.num_skipped:,} existed and were skipped" if summary.num_skipped else ""
    )
    echo_result(
        as_json,
        {
            "folder": out,
            "num_inputs": num_inputs,
            "num_files": summary.num_files,
            "num_skipped": summary.num_skipped,
            "num_phones": summary.num_phones,
            "seconds": summary.seconds,
            "failures": [str(failure) for failure in summary.failures],
            "plot": plot,
        },
        f"{counts} labelled in {out}: {found}{skipped}",
        *([] if plot is None else [str(plot)]),
    )
    if summary.failures:
        raise DataError(
            f"{len(summary.failures)} of {num_inputs} files",
            f"must be audio that can be labelled; the first: {summary.failures[0]}",
        )
