"""framesweep submit: write the predictions of test, and what graders ask for, as a zip file."""

from pathlib import Path
from typing import Any

import click

from framesweep.commands.common.output import echo_result, json_option
from framesweep.commands.common.prediction_options import (
    choose_runs,
    predict_split,
    prediction_options,
    refuse_suffix,
)


@click.command()
@prediction_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("submission.zip"),
    show_default=True,
    help="File to write.",
)
@json_option
def command(
    out: Path, *, labels: str | None, smooth: bool, as_json: bool, **options: Any
) -> None:
    """Write a zip file with the predictions of test and what graders of a course ask for.

    submission.csv is checked as by `predict --format kaggle`. Next to it are the config, the
    architecture with its number of parameters, the metrics of each epoch, the log and the
    report of each run, and a summary.
    """
    from framesweep.runs.ensembles.predictions import count_params, list_distinct
    from framesweep.runs.submission import (
        choose_labels,
        describe_check,
        describe_labels,
        describe_limit,
        find_checked_sample,
        find_header,
        format_csv,
    )
    from framesweep.runs.submission_zip import write_zip

    refuse_suffix(out, ".csv", "framesweep predict --format kaggle")
    runs = choose_runs(**options)
    sample = find_checked_sample(runs[0], "test")
    chosen = choose_labels(runs[0], sample, labels)
    predictions = predict_split(runs, "test", smooth=smooth)
    names, header = runs[0].store.phones.names, find_header(runs[0].config)
    write_zip(out, format_csv(predictions, names, chosen, sample, header), runs)
    total = sum(map(count_params, list_distinct(runs)))
    notes = [
        describe_labels(runs[0], chosen),
        describe_check(runs[0], sample),
        *describe_limit(runs[0]),
    ]
    echo_result(
        as_json,
        {
            "file": out,
            "frames": len(predictions),
            "parameters": total,
            "runs": [run.directory for run in runs],
            "notes": notes,
        },
        f"{len(predictions):,} frames of test, {total:,} parameters written to {out}",
        *notes,
    )
