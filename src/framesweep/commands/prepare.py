"""framesweep prepare: prepare the frame store of a corpus before training."""

import logging
import time

import click


@click.command()
@click.argument("overrides", metavar="KEY=VALUE...", nargs=-1)
def command(overrides: tuple[str, ...]) -> None:
    """Prepare the frame store of a corpus, so that training can start immediately.

    The arguments are those of train.py: framesweep prepare data=segments data.root=FOLDER
    """
    from framesweep.config.composition import compose
    from framesweep.data.phones import describe_numbering
    from framesweep.runs.experiment import open_frame_store

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    start = time.monotonic()
    store = open_frame_store(compose(list(overrides)))
    for split in store.splits.values():
        click.echo(
            f"{split.name:6}{len(split.ids):>9,} utterances{split.num_frames:>13,} frames"
        )
    click.echo(
        f"{store.name}: {store.feature_dim} features per frame, {len(store.phones)} phones; "
        f"prepared in {time.monotonic() - start:.1f} s"
    )
    click.echo(describe_numbering(store.phones))
