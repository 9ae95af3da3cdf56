"""fs.runs(outputs=None, *, uri=None) returns a table of the runs in an outputs folder.

    There is one row per run, the newest first, with its id, name, state, start, study, number
    of epochs and directory, followed by the last value of each metric.

    outputs: The directory of all runs; None for FRAMESWEEP_OUTPUTS, or else `outputs`.
    uri: The tracking URI; None for FRAMESWEEP_TRACKING_URI, or else the database in `outputs`.

The modules of this package make one training run, from its config to its recorded results.
Python binds the name of a package in its parent as soon as one of its modules is imported, so
the package itself can be called.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class _CallablePackage(ModuleType):
    def __call__(
        self, outputs: str | Path | None = None, *, uri: str | None = None
    ) -> "pd.DataFrame":
        """Return the runs in an outputs folder as a table; see `run_table.tabulate_runs`."""
        from framesweep.runs.reporting.run_table import tabulate_runs

        return tabulate_runs(outputs, uri=uri)


sys.modules[__name__].__class__ = _CallablePackage
