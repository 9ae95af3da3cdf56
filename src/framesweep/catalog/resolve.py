"""Finds the run that a text names: an id or its beginning, a name, a folder, last or best."""

import math
import os
import time
from collections.abc import Sequence
from pathlib import Path

from framesweep.catalog.directories import TRACKING_FOLDER, is_sweep
from framesweep.catalog.records import RunRecord
from framesweep.catalog.runs import list_runs
from framesweep.config.command_line import runs_hint
from framesweep.config.paths import CONFIG_FILE
from framesweep.errors import TrackingError

LAST, BEST = "last", "best"
"""Words for the run that was started last, and for the one with the best dev accuracy."""

MIN_PREFIX = 3
"""Characters that the beginning of an id must have, so that a number is not taken for one."""

MAX_CANDIDATES = 6
"""Candidates that an error lists."""

SHORT_ID = 8
"""Characters of an id that are shown; ids are random, so they almost always suffice."""


def resolve_run(text: str, uri: str | None, outputs: Path) -> RunRecord | None:
    """Return the run in `outputs` that a text names; None if none has this id or name.

    Args:
        text: `last` for the run that was started last; `best` for the finished run with the
            highest dev accuracy, on the data of the newest finished run; an MLflow id, the name
            of a run, the end of the path of its directory, or the beginning of an id.
        uri: `tracking.uri`; None for the default.

    Raises:
        TrackingError: several runs match, which the error lists; or there is no last or best.
    """
    runs = list_runs(uri, outputs)
    if text == LAST:
        return _select_last(runs, outputs)
    if text == BEST:
        return _select_best(runs, outputs)
    for matches in (
        [run for run in runs if text in (run.id, run.run_id) and text],
        [run for run in runs if run.name == text and text],
        [run for run in runs if _ends_with(run.directory, text)],
        [run for run in runs if len(text) >= MIN_PREFIX and run.id.startswith(text)],
    ):
        if len(matches) > 1:
            raise ambiguous_error(text, [describe_run(run) for run in matches])
        if matches:
            return matches[0]
    return None


def is_word(text: str) -> bool:
    """Return whether a text stands for a run that changes, rather than naming one."""
    return text in (LAST, BEST) and not Path(text, TRACKING_FOLDER).is_dir()


def describe_run(run: RunRecord) -> str:
    """Return the id of a run, with its name and start."""
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.start))
    return f"{short_id(run)} ({run.name + ', ' if run.name else ''}{started})"


def short_id(run: RunRecord) -> str:
    """Return the beginning of an MLflow id, by which people name runs, or all of another id."""
    return run.run_id[:SHORT_ID] or run.id


def ambiguous_error(text: str, candidates: Sequence[str]) -> TrackingError:
    """Return the error for a text that several runs match, in one line with the first few."""
    listed = ", ".join(candidates[:MAX_CANDIDATES])
    more = len(candidates) - MAX_CANDIDATES
    end = f" and {more} more" if more > 0 else ""
    return TrackingError(
        "run",
        f"must name a single run, but {len(candidates)} match",
        found=text,
        fix=f"They are {listed}{end}.",
    )


def unknown_run_error(text: str, outputs: Path) -> TrackingError:
    """Return the error for a text that names no run in `outputs`, or a folder without one."""
    if text and os.path.isdir(text):  # noqa: PTH112 - unlike Path's, it never raises
        fix = "If its run was stopped before it began to train, start it again."
        if is_sweep(Path(text)):
            fix = f"This is the folder of a sweep. Name one of its runs, as {Path(text, '0')}."
        return TrackingError(text, f"must contain the {CONFIG_FILE} of a run", fix=fix)
    fix = f"{runs_hint(outputs)} lists them."
    if text and is_sweep(outputs / "sweeps" / text):
        fix = f"This is a sweep. Name one of its runs, as {text}/0."
    return TrackingError("run", "must be the id or the name of a run", found=text, fix=fix)


def _ends_with(directory: Path, text: str) -> bool:
    parts = Path(text).parts
    return bool(parts) and directory.parts[-len(parts) :] == parts


def _select_last(runs: Sequence[RunRecord], outputs: Path) -> RunRecord:
    for run in runs:
        if run.directory.exists():
            return run
    raise TrackingError("run", f"must be in {outputs}, which has none yet", found=LAST)


def rank_finished_runs(uri: str | None, outputs: Path) -> list[RunRecord]:
    """Return the finished runs on the data of the newest one, the most accurate on dev first.

    Accuracies on different corpora cannot be compared.

    Raises:
        TrackingError: no run has finished with a dev accuracy.
    """
    return _rank_finished(list_runs(uri, outputs), outputs, "none")


def _rank_finished(runs: Sequence[RunRecord], outputs: Path, found: str) -> list[RunRecord]:
    finished = [
        run
        for run in runs
        if run.state == "finished"
        and run.accuracy is not None
        and not math.isnan(run.accuracy)
        and run.directory.exists()
    ]
    if not finished:
        raise TrackingError(
            "run", f"must have finished, with a dev accuracy, in {outputs}", found=found
        )
    same_data = [run for run in finished if run.data == finished[0].data]
    return sorted(same_data, key=lambda run: (-(run.accuracy or 0.0), run.start))


def _select_best(runs: Sequence[RunRecord], outputs: Path) -> RunRecord:
    return _rank_finished(runs, outputs, BEST)[0]
