"""The runs in an outputs folder as a table for notebooks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from framesweep.catalog import list_runs
from framesweep.config.paths import default_outputs
from framesweep.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("id", "name", "state", "start", "study", "epochs", "directory")
"""Columns of every run; those of its metrics follow."""


def tabulate_runs(outputs: str | Path | None = None, *, uri: str | None = None) -> pd.DataFrame:
    """Return one row per run, the newest first.

    The columns are the id, name, state (running, finished, pruned, stopped or failed), start in
    UTC, study, number of epochs and directory, followed by the last value of each metric.

    Args:
        outputs: The directory of all runs; None for FRAMESWEEP_OUTPUTS, or else `outputs`.
        uri: The tracking URI; None for FRAMESWEEP_TRACKING_URI, or else the database in
            `outputs`. No server is asked: metrics of runs on a server are missing.

    Raises:
        ConfigError: if `outputs` is given, but no existing folder.
    """
    import pandas as pd

    records = list_runs(uri, require_outputs(outputs))
    table = pd.DataFrame(
        [
            {
                "id": record.id,
                "name": record.name,
                "state": record.state,
                "start": record.start,
                "study": record.study,
                "epochs": record.epochs,
                "directory": str(record.directory),
            }
            for record in records
        ],
        columns=list(COLUMNS),
    )
    table["start"] = pd.to_datetime(table["start"], unit="s", utc=True).dt.floor("s")
    table["epochs"] = table["epochs"].astype("Int64")
    metrics = pd.DataFrame([dict(record.metrics) for record in records], index=table.index)
    return pd.concat([table, metrics], axis=1)


def require_outputs(outputs: str | Path | None) -> Path:
    """Return the directory of all runs that a call means; raise ConfigError if it is not there.

    The default need not exist before the first run.
    """
    if outputs is not None and not isinstance(outputs, str | os.PathLike):
        raise ConfigError("outputs", "must be the path of a folder", found=outputs)
    folder = outputs_folder(outputs)
    if outputs is not None and not folder.is_dir():
        raise ConfigError("outputs", "must be an existing folder", found=str(outputs))
    return folder


def outputs_folder(outputs: str | Path | None) -> Path:
    """Return the directory of all runs that a call means."""
    given = outputs if outputs is not None else default_outputs()
    return Path(given).expanduser().absolute()
