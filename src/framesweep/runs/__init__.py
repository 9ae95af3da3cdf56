"""One training run, from its config to its recorded results.

In the Python interface, `framesweep.runs()` is also a function, the one that lists runs. Python
binds the name of a package in its parent as soon as one of its modules is imported; the package
itself can therefore be called.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class _CallablePackage(ModuleType):
    def __call__(
        self, *, outputs: str | Path | None = None, uri: str | None = None
    ) -> "pd.DataFrame":
        """Return the runs in an outputs folder as a table; see `run_table.tabulate_runs`."""
        from framesweep.runs.reporting.run_table import tabulate_runs

        return tabulate_runs(outputs=outputs, uri=uri)


sys.modules[__name__].__class__ = _CallablePackage
