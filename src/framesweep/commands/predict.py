"""framesweep predict: write the predicted phone of each frame of a split as CSV."""

from pathlib import Path
from typing import Any

import click

from framesweep.commands.common.output import echo_result, json_option
from framesweep.commands.common.prediction_options import (
    choose_runs,
    predict_split,
    prediction_options,
)


@click.command()
@prediction_options
@click.option("--split", default="test", show_default=True, help="Split to predict.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("submission.csv"),
    show_default=True,
    help="File to write.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["csv", "kaggle"]),
    default="csv",
    show_default=True,
    help="kaggle compares the rows with sample_submission.csv or random_submission.csv in the "
    "folder of the corpus, and takes over its header.",
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

    The id numbers the frames of all utterances of the split in order, from 0. Several runs form
    an ensemble, whose probabilities are averaged.
    """
    from framesweep.runs import submission
    from framesweep.system.atomic_files import write_text

    runs = choose_runs(**options)
    # Before the predictions, which may take minutes.
    sample = submission.find_checked_sample(runs[0], split) if file_format == "kaggle" else None
    chosen = submission.choose_labels(runs[0].config, sample, labels)
    predictions = predict_split(runs, split, smooth=smooth)
    header = submission.find_header(runs[0].config)
    write_text(
        out,
        submission.format_csv(predictions, runs[0].store.phones.names, chosen, sample, header),
    )
    numbered = submission.describe_labels(runs[0], chosen)
    checked = submission.describe_check(runs[0], sample) if file_format == "kaggle" else ""
    echo_result(
        as_json,
        {
            "file": out,
            "split": split,
            "frames": len(predictions),
            "runs": [run.directory for run in runs],
            "notes": [note for note in (numbered, checked) if note],
        },
        f"{len(predictions):,} frames of {split} written to {out}",
        numbered,
        *([checked] if checked else []),
    )
