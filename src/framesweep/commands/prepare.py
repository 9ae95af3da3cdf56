"""framesweep prepare: read a corpus into its store ahead of training."""

import logging
import time

import click


@click.command()
@click.argument("overrides", metavar="KEY=VALUE...", nargs=-1)
def command(overrides: tuple[str, ...]) -> None:
    """Read a corpus into its store, so that training starts at once.

    Takes what train.py takes: framesweep prepare data=segments data.root=FOLDER
    """
    from framesweep.config.composition import compose
    from framesweep.runs.experiment import open_frame_store

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    began = time.monotonic()
    store = open_frame_store(compose(list(overrides)))
    for split in store.splits.values():
        click.echo(
            f"{split.name:6}{len(split.ids):>9,} utterances{split.num_frames:>13,} frames"
        )
    click.echo(
        f"{store.name}: {store.feature_dim} features, {len(store.phones)} phones; "
        f"ready after {time.monotonic() - began:.1f} s"
    )
