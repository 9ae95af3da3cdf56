"""The commands that are printed for users, as they run in the folder where they are printed.

Whoever called the Python interface reads calls in their place, in what is printed; files and
MLflow, which others read, have commands.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NoReturn

from framesweep.config.paths import STUDIES_FILE, default_outputs, sqlite_path, sqlite_url
from framesweep.config.run import RunConfig
from framesweep.config.shell_words import join_command
from framesweep.credentials import HIDDEN, scrub
from framesweep.errors import ConfigError

SCRIPT, COMMAND = "train.py", "framesweep"
"""The script in a checkout, and the command that is installed; both train."""

IMPORT = "from framesweep.cli import train"
"""Line that distinguishes the script from another file with the same name."""

SWEEP_DIRECTORY = "hydra.sweep.dir"
"""The key of the directory of a grid."""

_SPECIAL = re.compile(r"[^\w./:+-]")
"""A character that may mean something to Hydra where a value is not quoted."""


_in_python = ContextVar("in_python", default=False)


@contextmanager
def printed_as_calls() -> Iterator[None]:
    """Let lines that are printed within the context show calls in place of commands."""
    token = _in_python.set(True)
    try:
        yield
    finally:
        _in_python.reset(token)


def is_in_python() -> bool:
    """Return whether a caller of the Python interface reads what is printed now."""
    return _in_python.get()


def python_call(name: str, overrides: Iterable[object]) -> str:
    """Return the call of a function of the Python interface with these overrides."""
    return f"fs.{name}({json.dumps([*map(str, overrides)], ensure_ascii=False)})"


def train_hint(overrides: Iterable[object]) -> str:
    """Return `train_command`, or the call that does the same, to be printed."""
    return python_call("train", overrides) if is_in_python() else train_command(overrides)


def train_command(overrides: Iterable[object]) -> str:
    """Return the command that trains with these overrides, quoted for a shell.

    It is `python train.py` where this process was started so, or where the working directory
    has that script. Anywhere else it is `framesweep train`.
    """
    return join_command([*_find_program("python", COMMAND), *map(str, overrides)])


def resume_hint(config: RunConfig, directory: Path, run_id: str | None) -> str:
    """Return how to resume a run, to be printed: a command by this interpreter, or a call."""
    return _resume_with(f"resume={_name_run(config, directory, run_id)}")


def continue_hint(directory: Path) -> str:
    """Return how to continue the grid that this process runs in `directory`, to be printed.

    Hydra's own sweeper knows nothing of an earlier grid, but a run begins with the checkpoint
    that it finds in its directory.
    """
    override = _to_sweep_directory(directory)
    typed = [word for word in sys.argv[1:] if word.partition("=")[0] != SWEEP_DIRECTORY]
    if is_in_python():
        return python_call("sweep", [*typed[typed.index("-m") + 1 :], override])
    return scrub(join_command([*_find_started(), *typed, override]))


def _to_sweep_directory(directory: Path) -> str:
    """Return the override with which a grid runs in `directory`."""
    # Not at the top: a model is served where Hydra is not installed.
    from hydra.core.override_parser.types import Quote, QuotedString

    folder = _shorten(directory)
    if _SPECIAL.search(folder):
        folder = QuotedString(folder, Quote.single).with_quotes()
    return f"{SWEEP_DIRECTORY}={folder}"


def refuse_resume(run_id: str) -> NoReturn:
    """Raise ConfigError, because a sweep was asked to resume a run."""
    fix = f"To resume it: {train_hint([f'resume={run_id}'])}"
    raise ConfigError("resume", "must not be part of a sweep", found=run_id, fix=fix)


def refuse_sweep(directory: Path) -> NoReturn:
    """Raise ConfigError, because a sweep was to be resumed as a run."""
    fix = "The command that started it continues it; that of a grid with"
    raise ConfigError(
        "resume",
        "must be a run",
        found=f"the sweep {directory.name}",
        fix=f"{fix} {_to_sweep_directory(directory)} added.",
    )


def load_hint(config: RunConfig, directory: Path, run_id: str | None) -> str:
    """Return the call that loads a run."""
    return f"fs.load({json.dumps(_name_run(config, directory, run_id))})"


def finish_hint(directory: Path) -> str:
    """Return how to finish a stopped run with the epochs that it has, as `resume_hint`."""
    return _resume_with(f"resume={_shorten(directory)}", "train.max_minutes=0.01")


def _name_run(config: RunConfig, directory: Path, run_id: str | None) -> str:
    """Return the id of a run if it is found without further options, or else its directory."""
    is_found = run_id is not None and not where_options(config)
    return run_id if is_found and run_id is not None else _shorten(directory)


def _resume_with(*overrides: str) -> str:
    if is_in_python():
        return python_call("train", overrides)
    return join_command([*_find_started(), *overrides])


def compare_hint(config: RunConfig) -> str:
    """Return how to compare the runs in the outputs folder of a config, to be printed."""
    options = where_options(config)
    if not is_in_python():
        return join_command([COMMAND, "ui", *options])
    return _runs_call(options)


def runs_hint(outputs: Path) -> str:
    """Return how to list the runs in an outputs folder, to be printed."""
    options = outputs_options(outputs)
    if is_in_python():
        return _runs_call(options)
    return f"`{join_command([COMMAND, 'runs', *options])}`"


def _runs_call(options: list[str]) -> str:
    pairs = zip(options[::2], options[1::2], strict=True)
    return f"fs.runs({', '.join(f'{name[2:]}={json.dumps(value)}' for name, value in pairs)})"


def where_options(config: RunConfig) -> list[str]:
    """Return --outputs and --uri for a command of framesweep to find the runs of a config.

    They are empty for the default folder and tracking URI, which commands use by themselves.
    """
    options = outputs_options(Path(config.outputs))
    if config.tracking.uri is not None and HIDDEN not in scrub(config.tracking.uri):
        options += ["--uri", config.tracking.uri]
    return options


def outputs_options(outputs: Path) -> list[str]:
    """Return --outputs for a command of framesweep; empty for the default folder."""
    default = Path(default_outputs()).expanduser().absolute()
    return [] if outputs.absolute() == default else ["--outputs", _shorten(outputs)]


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


def _find_started() -> Sequence[str]:
    """Return the program that trains, run by the interpreter of this process."""
    return _find_program(_find_executable("python"), _find_executable(COMMAND))


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
