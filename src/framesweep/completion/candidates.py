"""What can be typed next, and the runs and studies among it."""

import contextlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from framesweep.catalog import list_runs, short_id
from framesweep.catalog.database import connect_read_only
from framesweep.catalog.resolve import BEST, LAST
from framesweep.config.paths import STUDIES_FILE, default_outputs

MAX_RUNS = 200
"""Runs that are offered; more would not fit on a screen."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that can stand in place of the word under the cursor.

    Attributes:
        text: the whole word.
        is_final: whether the word ends there, so that a space can follow.
        note: a few words about it, for shells that show them.
    """

    text: str
    is_final: bool = True
    note: str = ""


Answer = list[Candidate] | Literal["files", "dirs"]
"""Candidates, or that the shell should complete the name of a file or a folder."""


def starting_with(prefix: str, candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return the candidates that begin with what has been typed."""
    return [one for one in candidates if one.text.startswith(prefix)]


def find_outputs_folder(given: str | None) -> Path:
    """Return the outputs folder of a command line on which `given` was typed for it."""
    return Path(given or default_outputs()).expanduser()


def list_run_candidates(outputs: Path, uri: str | None = None) -> list[Candidate]:
    """Return `last`, `best` and the ids of the newest runs."""
    words = [
        Candidate(LAST, note="the run that was started last"),
        Candidate(BEST, note="the run with the highest dev accuracy"),
    ]
    runs = list_runs(uri, outputs)[:MAX_RUNS]
    for run in runs:
        accuracy = "" if run.accuracy is None else f", {run.accuracy:.4f}"
        words.append(Candidate(short_id(run), note=f"{run.name or run.study}{accuracy}"))
    return words if runs else []


def list_study_candidates(outputs: Path) -> list[Candidate]:
    """Return the names of the studies in an outputs folder."""
    path = outputs.absolute() / STUDIES_FILE
    if not path.is_file():
        return []
    try:
        with contextlib.closing(connect_read_only(path, 1)) as connection:
            rows = connection.execute("SELECT study_name FROM studies ORDER BY study_id DESC")
            return [Candidate(str(name)) for (name,) in rows]
    except sqlite3.Error:
        return []
