"""framesweep predict: the labels of a split's frames as CSV."""

import csv
from pathlib import Path
from typing import Any

import click

from framesweep.commands.options import load_runs, run_options


@click.command()
@click.argument("run_ids", metavar="RUN_ID...", nargs=-1, required=True)
@click.option("--split", default="test", show_default=True, help="Split to predict.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("submission.csv"))
@click.option(
    "--labels",
    type=click.Choice(["id", "phone"]),
    default="id",
    show_default=True,
    help="Write the phone's id or its name.",
)
@click.option(
    "--smooth",
    is_flag=True,
    help="Take the likeliest path of phones (Viterbi), its strength tuned on dev.",
)
@run_options
def command(
    run_ids: tuple[str, ...], split: str, out: Path, labels: str, smooth: bool, **options: Any
) -> None:
    """Write predictions of a run as CSV: `id,label`, id being the frame's index over the
    split's utterances in order. Several runs are averaged."""
    from framesweep.files import atomic_file
    from framesweep.inference import ensemble_posteriors, smoothed

    runs = load_runs(run_ids, **options)
    if smooth:
        predictions = smoothed(runs, split).tolist()
    else:
        predictions = ensemble_posteriors(runs, split).argmax(dim=1).tolist()
    names = runs[0].store.phones.names
    with atomic_file(out) as temporary, temporary.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["id", "label"])
        writer.writerows(
            (index, names[label] if labels == "phone" else label)
            for index, label in enumerate(predictions)
        )
    click.echo(f"{len(predictions):,} frames of {split} written to {out}")
