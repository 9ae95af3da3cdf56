"""Paths in configs: the home directory, SQLite URLs, and outputs folders that were moved."""

import os
import re
from pathlib import Path

from framesweep.config.run import RunConfig

CONFIG_FILE = "config.yaml"
"""Name of the file with the config of a run, in its directory and next to its weights."""

STUDIES_FILE = "studies.db"
"""Name of the database of studies in an outputs folder."""

SQLITE_SCHEMES = ("sqlite:", "sqlite+pysqlite:")
"""How the URLs of SQLite files begin."""

PLAIN_PATH = re.compile(r"[\w./+ -]*", re.ASCII)
"""Paths that a URL contains as they are."""

RUN_DEPTHS = ((2, "runs"), (1, "sweeps"), (2, "sweeps"), (3, "sweeps"))
"""How far below which folder of outputs the directories of runs are: `runs/<date>/<time>`,
`sweeps/<study>`, `sweeps/<study>/<trial>`, `sweeps/<study>/seeds/<trial>-<seed>`."""

OUTPUTS_CONTENTS = ("cache", "mlflow.db", STUDIES_FILE)
"""Files and folders one of which an outputs folder contains, besides its runs."""


def default_outputs() -> str:
    """Return the directory of all runs where none is given, as conf/config.yaml has it."""
    return os.environ.get("FRAMESWEEP_OUTPUTS", "outputs")


def expand(path: str) -> str:
    """Return a path with the home directory in place of `~`."""
    return os.path.expanduser(path)  # noqa: PTH111 - a Path would drop a slash at the end


def expand_override(argument: str) -> str:
    """Return `key=~/path` with the home directory, which not every shell puts there.

    Hydra's syntax has no `~` in a value.
    """
    key, equals, value = argument.partition("=")
    return f"{key}{equals}{expand(value)}" if value.startswith("~/") else argument


def sqlite_url(path: Path | str) -> str:
    """Return the URL of a SQLite file, whatever characters its path contains.

    The driver is named in a URL with escaped characters: MLflow takes a URL without a driver
    for a path, and creates the folder with the escaped name.
    """
    if PLAIN_PATH.fullmatch(str(path)):
        return f"sqlite:///{path}"
    from sqlalchemy import URL  # takes a tenth of a second to import

    return URL.create("sqlite+pysqlite", database=str(path)).render_as_string()


def sqlite_path(url: str) -> Path | None:
    """Return the absolute path of a SQLite file from its URL; None for any other URL."""
    if not url.startswith(SQLITE_SCHEMES):
        return None
    from sqlalchemy import make_url

    return Path(make_url(url).database or "").expanduser().absolute()


def find_outputs(directory: Path) -> Path | None:
    """Return the outputs folder that contains the directory of a run, or None."""
    parents = directory.absolute().parents
    for depth, name in RUN_DEPTHS:
        if len(parents) > depth and parents[depth - 1].name == name:
            return parents[depth]
    return None


def find_moved(directory: Path, outputs: Path) -> Path:
    """Return where in `outputs` a run's directory is, which may be recorded from elsewhere.

    If `outputs` does not have it, `directory` is returned.
    """
    recorded = find_outputs(directory)
    if recorded is not None:
        here = outputs.absolute() / directory.absolute().relative_to(recorded)
        if os.path.isdir(here):  # noqa: PTH112 - unlike Path's, it never raises
            return here
    return directory


def follow_move(config: RunConfig, directory: Path) -> None:
    """Let a saved config use the outputs folder that contains its run's directory.

    It names another folder if the outputs were moved or copied. A run may also have been given
    a directory outside of its outputs; then the folder around it is not taken for outputs.
    """
    outputs, recorded = find_outputs(directory), Path(config.outputs)
    if outputs is None or outputs == recorded:
        return
    is_outputs = any((outputs / name).exists() for name in OUTPUTS_CONTENTS)
    if not is_outputs and os.path.exists(recorded):  # noqa: PTH110 - it never raises
        return
    config.outputs = str(outputs)
    if config.data.cache is not None:
        config.data.cache = str(_rebase(Path(config.data.cache), recorded, outputs))
    database = sqlite_path(config.tracking.uri or "")
    if database is not None:
        config.tracking.uri = sqlite_url(_rebase(database, recorded, outputs))


def _rebase(path: Path, recorded: Path, outputs: Path) -> Path:
    return outputs / path.relative_to(recorded) if path.is_relative_to(recorded) else path
