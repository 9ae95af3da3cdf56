"""framesweep inspect: summarize a corpus and report problems in it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from framesweep.commands.common.output import echo_result, json_option

MAX_LISTED = 5
"""Largest number of problems in files that are listed; the JSON output has all."""


@click.command()
@click.argument("overrides", metavar="KEY=VALUE...", nargs=-1)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of the figure.  [default: inspection.png in the prepared corpus]",
)
@json_option
def command(overrides: tuple[str, ...], *, out: Path | None, as_json: bool) -> None:
    """Summarize a corpus: splits, speakers, phones, durations and features, and problems.

    The arguments are those of train.py: framesweep inspect data=hw1p2 data.root=FOLDER
    """
    from framesweep.config.composition import compose, register
    from framesweep.data.corpus import SelfChecking
    from framesweep.data.inspection.findings import find_problems, summarize
    from framesweep.data.inspection.report import text_report, write_picture
    from framesweep.data.readers.registry import build_corpus
    from framesweep.data.store.frame_store import verify_views
    from framesweep.data.store.prepared import prepare
    from framesweep.data.store.run_store import find_cache

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    register()
    config = compose(list(overrides))
    corpus = build_corpus(config.data)
    in_files = corpus.find_problems() if isinstance(corpus, SelfChecking) else []
    with _list_first(in_files if as_json else _shorten(in_files)):
        prepared = prepare(corpus, find_cache(config), full=True)
    verify_views(prepared)
    summaries = [summarize(split, len(prepared.phones)) for split in prepared.splits.values()]
    problems = find_problems(prepared, summaries)
    shift_ms = config.data.frame_shift_ms
    path = out or prepared.folder / "inspection.png"
    write_picture(path, prepared, summaries, shift_ms)
    splits = {
        summary.name: {
            "utterances": len(summary.lengths),
            "frames": summary.num_frames,
            "speakers": summary.num_speakers,
            "silence_share": summary.silence_share(prepared.phones),
            "frames_per_phone": summary.counts,
        }
        for summary in summaries
    }
    phones = prepared.phones.names
    echo_result(
        as_json,
        {"splits": splits, "phones": phones, "problems": problems + in_files, "figure": path},
        text_report(prepared, summaries, problems + _shorten(in_files), shift_ms),
        f"figure: {path}",
    )


@contextmanager
def _list_first(problems: list[str]) -> Iterator[None]:
    """Print the problems before a DataError: it is about one file, and others have more."""
    from framesweep.errors import DataError

    try:
        yield
    except DataError:
        for problem in problems:
            click.echo(problem, err=True)
        raise


def _shorten(problems: list[str]) -> list[str]:
    """Return the first problems, and how many more there are."""
    more = len(problems) - MAX_LISTED
    return [*problems[:MAX_LISTED], *([f"and {more:,} more, which --json lists"] * (more > 0))]
