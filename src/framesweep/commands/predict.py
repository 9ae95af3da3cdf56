"""framesweep predict: write the predicted phone of each frame of a split as CSV."""

from pathlib import Path
from typing import Any

import click

from framesweep.commands.common.output import echo_result, json_option
from framesweep.commands.common.prediction_options import (
    choose_runs,
    file_options,
    prediction_options,
    write_predictions,
)


@click.command()
@prediction_options
@file_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("submission.csv"),
    show_default=True,
    help="File to write.",
)
@json_option
def command(
    split: str,
    out: Path,
    file_format: str,
    labels: str | None,
    smooth: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Write the predictions of a run as CSV with the columns id and label.

    They are Id and Class for NTU's course, and with --format kaggle those of the sample. The id
    numbers the frames of all utterances of the split in order, from 0. Several runs form an
    ensemble, whose probabilities are averaged; a run that is named twice counts twice.
    """
    runs = choose_runs(**options)
    written = write_predictions(
        runs, out, split=split, file_format=file_format, labels=labels, smooth=smooth
    )
    echo_result(
        as_json,
        {
            "file": out,
            "split": split,
            "frames": written.num_frames,
            "runs": [run.directory for run in runs],
            "notes": written.notes,
        },
        written.summary,
        *written.notes,
    )
