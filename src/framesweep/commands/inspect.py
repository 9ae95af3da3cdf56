"""framesweep inspect: summarize a corpus and report problems in it."""

import logging
from pathlib import Path

import click


@click.command()
@click.argument("overrides", metavar="KEY=VALUE...", nargs=-1)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of the figure.  [default: inspection.png in the prepared corpus]",
)
def command(overrides: tuple[str, ...], out: Path | None) -> None:
    """Summarize a corpus: splits, speakers, phones, durations and features, and problems.

    The arguments are those of train.py: framesweep inspect data=hw1p2 data.root=FOLDER
    """
    from framesweep.config.composition import compose
    from framesweep.data.corpus import SelfChecking
    from framesweep.data.inspection.findings import find_problems, summarize
    from framesweep.data.inspection.report import text_report, write_picture
    from framesweep.data.readers.registry import build_corpus
    from framesweep.data.store.frame_store import verify_views
    from framesweep.data.store.prepared import prepare
    from framesweep.runs.experiment import find_cache

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = compose(list(overrides))
    corpus = build_corpus(config.data)
    in_files = corpus.find_problems() if isinstance(corpus, SelfChecking) else []
    prepared = prepare(corpus, find_cache(config), full=True)
    verify_views(prepared)
    summaries = [summarize(split, len(prepared.phones)) for split in prepared.splits.values()]
    problems = [*find_problems(prepared, summaries), *in_files]
    shift_ms = config.data.frame_shift_ms
    click.echo(text_report(prepared, summaries, problems, shift_ms))
    path = out or prepared.folder / "inspection.png"
    write_picture(path, prepared, summaries, shift_ms)
    click.echo(f"figure: {path}")
