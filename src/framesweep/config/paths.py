"""Paths in configs: the home directory, SQLite URLs, and outputs folders that were moved."""

import os
import re
from collections.abc import Container
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

from framesweep.config.run import RunConfig
from framesweep.config.shell_words import WINDOWS

CONFIG_FILE = "config.yaml"
"""Name of the file with the config of a run, in its directory and next to its weights."""

STUDIES_FILE = "studies.db"
"""Name of the database of studies in an outputs folder."""

SQLITE_SCHEMES = ("sqlite:", "sqlite+pysqlite:")
"""How the URLs of SQLite files begin."""

PLAIN_PATH = re.compile(r"(?:[A-Za-z]:)?[\w./+ -]*", re.ASCII)
"""Paths that a URL contains as they are; a drive's colon as well."""

WINDOWS_PATH = re.compile(
    r"(?:[A-Za-z]:\\|\\\\[\w.-]+\\)(?:[^\\]|\\(?![,()'\"]))*"  # C:\... or \\server\...
)
"""Values that begin with a drive or a server, and in which no backslash is Hydra's escape. One
that begins with a single backslash may be a regular expression."""

RUN_DEPTHS = ((2, "runs"), (1, "sweeps"), (2, "sweeps"), (3, "sweeps"))
"""How far below which folder of outputs the directories of runs are: `runs/<date>/<time>`,
`sweeps/<study>`, `sweeps/<study>/<trial>`, `sweeps/<study>/seeds/<trial>-<seed>`."""

OUTPUTS_CONTENTS = ("cache", "mlflow.db", STUDIES_FILE)
"""Files and folders one of which an outputs folder contains, besides its runs."""


def default_outputs() -> str:
    """Return the directory of all runs for a command that names none."""
    return os.environ.get("FRAMESWEEP_OUTPUTS") or "outputs"


def expand(path: str) -> str:
    """Return a path with the home directory in place of `~`."""
    return os.path.expanduser(path)  # noqa: PTH111 - a Path would drop a slash at the end


def expand_override(argument: str, *, windows: bool = WINDOWS) -> str:
    r"""Return `key=~/path` with the home directory, which not every shell puts there.

    Hydra's syntax has no `~` in a value. On Windows, paths get slashes for backslashes: Hydra
    would read the first two of `\\server` as one, and `\'` at the end as an open quote.
    """
    key, equals, value = argument.partition("=")
    if value.startswith(("~/", "~\\") if windows else "~/"):
        value = expand(value)
    if windows:
        quote = value[:1] if value[:1] in ("'", '"') and value[:1] == value[-1:] else ""
        bare = value.strip(quote) if quote else value
        if WINDOWS_PATH.fullmatch(bare):
            value = quote + bare.replace("\\", "/") + quote
    return f"{key}{equals}{value}"


def make_paths_absolute(
    config: RunConfig, start: Path, keys: Container[str] | None = None
) -> None:
    """Make the paths in a config absolute: a run can be used from any directory.

    Args:
        start: The directory that relative paths start from.
        keys: The keys to look at; None for all.
    """
    if keys is None or "outputs" in keys:
        config.outputs = str(start / expand(config.outputs))
    for key in config.data.path_keys:
        path = getattr(config.data, key, None)
        if path and (keys is None or f"data.{key}" in keys):
            setattr(config.data, key, str(start / expand(path)))


def sqlite_url(path: PurePath | str) -> str:
    """Return the URL of a SQLite file, whatever characters its path contains.

    The driver is named in a URL with escaped characters: MLflow takes a URL without a driver
    for a path, and creates the folder with the escaped name. A path of Windows gets slashes.
    """
    text = path.as_posix() if isinstance(path, PurePath) else path
    if PLAIN_PATH.fullmatch(text):
        return f"sqlite:///{text}"
    from sqlalchemy import URL  # takes a tenth of a second to import

    return URL.create("sqlite+pysqlite", database=text).render_as_string()


def file_path(uri: str, *, windows: bool = WINDOWS) -> Path:
    """Return the path that a `file:` URI names, as `Path.as_uri` made it.

    On Windows, `file:///C:/a` names `C:\\a`, and `file://server/share` a folder of a server.
    """
    parsed = urlsplit(uri)
    path = unquote(parsed.path)
    if windows:
        path = f"//{parsed.netloc}{path}" if parsed.netloc else path
        path = path[1:] if re.match(r"/[A-Za-z]:", path) else path
    return Path(path)


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
