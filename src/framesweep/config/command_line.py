"""The commands that are printed for users, as they run in the folder where they are printed."""

import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from framesweep.config.paths import STUDIES_FILE, default_outputs, sqlite_path, sqlite_url
from framesweep.config.run import RunConfig
from framesweep.config.shell_words import join_command
from framesweep.credentials import HIDDEN, scrub

SCRIPT, COMMAND = "train.py", "framesweep"
"""The script in a checkout, and the command that is installed; both train."""

IMPORT = "from framesweep.cli import train"
"""Line that distinguishes the script from another file with the same name."""


def train_command(overrides: Iterable[object]) -> str:
    """Return the command that trains with these overrides, quoted for a shell.

    It is `python train.py` where this process was started so, or where the working directory
    has that script. Anywhere else it is `framesweep train`.
    """
    return join_command([*_find_program("python", COMMAND), *map(str, overrides)])


def resume_command(config: RunConfig, directory: Path, run_id: str | None) -> str:
    """Return the command that resumes a run, by the interpreter that runs now.

    The run is named by its id if it can be looked up without further options, and otherwise by
    its directory.
    """
    is_found = run_id is not None and not where_options(config)
    name = run_id if is_found and run_id is not None else _shorten(directory)
    program = _find_program(_find_executable("python"), _find_executable(COMMAND))
    return join_command([*program, f"resume={name}"])


def where_options(config: RunConfig) -> list[str]:
    """Return --outputs and --uri for a command of framesweep to find the runs of a config.

    They are empty for the default folder and tracking URI, which commands use by themselves.
    """
    options = []
    default = Path(default_outputs()).expanduser().absolute()
    if Path(config.outputs).absolute() != default:
        options += ["--outputs", _shorten(Path(config.outputs))]
    if config.tracking.uri is not None and HIDDEN not in scrub(config.tracking.uri):
        options += ["--uri", config.tracking.uri]
    return options


def storage_options(config: RunConfig, storage: str) -> list[str]:
    """Return --storage for a command of framesweep to find a study.

    It is empty for the database in the outputs folder, which commands use by themselves.
    Credentials are replaced by ***, and the command asks for them.

    Args:
        config: The config of the search.
        storage: Its `hydra.sweeper.storage`, a URL or the path of a journal.
    """
    path = sqlite_path(storage)
    if path is not None:
        is_default = path == Path(config.outputs).expanduser().absolute() / STUDIES_FILE
        return [] if is_default else ["--storage", sqlite_url(_shorten(path))]
    if "://" not in storage:
        return ["--storage", _shorten(Path(storage).expanduser())]
    return ["--storage", scrub(storage)]


def started_command() -> str:
    """Return the command line by which this process was started, without credentials."""
    program, *arguments = sys.argv
    words = ["python", program] if program.endswith(".py") else program.split()
    return scrub(join_command([*words, *arguments]))


def _find_program(python: str, command: str) -> Sequence[str]:
    started = Path(sys.argv[0])
    if started.name == SCRIPT:
        return [python, sys.argv[0]]
    try:
        is_here = IMPORT in Path(SCRIPT).read_text(encoding="utf-8")
    except (OSError, ValueError):
        is_here = False
    return [python, SCRIPT] if is_here else [command, "train"]


def _find_executable(name: str) -> str:
    """Return the name of a program if the shell would find this one, and else its path."""
    folder = Path(sys.executable).parent
    found = shutil.which(name)
    if found is not None and Path(found).parent == folder:
        return name
    if name == "python":
        return sys.executable
    return str(folder / name) if (folder / name).exists() else name


def _shorten(path: Path) -> str:
    """Return a path relative to the working directory if it is below that."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
