"""Executes the notebooks in docs/: as a test does, or to write their outputs anew.

python tests/notebook.py docs/quickstart.ipynb
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

CELL_SECONDS = 600


def execute(path: Path, folder: Path) -> Any:
    """Execute a notebook in a folder, and return it with its outputs.

    Nothing is taken from this process's settings: the kernel has the environment of a user.
    """
    notebook = nbformat.read(path, as_version=4)
    names = [name for name in os.environ if name.startswith(("FRAMESWEEP_", "MPLBACKEND"))]
    environment = {k: v for k, v in os.environ.items() if k not in names}
    client = NotebookClient(
        notebook, timeout=CELL_SECONDS, kernel_name="python3", coalesce_streams=True
    )
    client.execute(cwd=str(folder), env=environment)
    return notebook


def main(path: Path) -> None:
    """Execute a notebook in a temporary folder, and replace its outputs."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = execute(path, Path(folder))
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # the times
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
