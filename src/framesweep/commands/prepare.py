"""framesweep prepare: prepare the frame store of a corpus before training."""

import logging
import time

import click

from framesweep.commands.common.output import echo_result, json_option


@click.command()
@click.argument("overrides", metavar="KEY=VALUE...", nargs=-1)
@json_option
def command(overrides: tuple[str, ...], *, as_json: bool) -> None:
    """Prepare the frame store of a corpus, so that training can start immediately.

    The arguments are those of train.py: framesweep prepare data=segments data.root=FOLDER
    """
    from framesweep.config.composition import compose, register
    from framesweep.data.phones import describe_numbering
    from framesweep.data.store.run_store import open_frame_store

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    register()
    start = time.monotonic()
    store = open_frame_store(compose(list(overrides)))
    seconds = time.monotonic() - start
    splits = store.splits.values()
    echo_result(
        as_json,
        {
            "corpus": store.name,
            "splits": {
                split.name: {"utterances": len(split.ids), "frames": split.num_frames}
                for split in splits
            },
            "feature_dim": store.feature_dim,
            "phones": store.phones.names,
            "digest": store.digest,
            "seconds": seconds,
        },
        *(
            f"{split.name:6}{len(split.ids):>9,} utterances{split.num_frames:>13,} frames"
            for split in splits
        ),
        f"{store.name}: {store.feature_dim} features per frame, {store.phones.size_in_words}; "
        f"prepared in {seconds:.1f} s",
        describe_numbering(store.phones),
    )
