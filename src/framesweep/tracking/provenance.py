"""Where a run came from: code, command, machine, configuration."""

import functools
import getpass
import hashlib
import json
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from framesweep import __version__
from framesweep.config.effects import effect_of
from framesweep.credentials import scrub

GIT_SECONDS = 10.0


def collect_provenance(directory: Path) -> dict[str, str]:
    """Tags that tell how the run in `directory` was started, credentials taken out."""
    return {
        "mlflow.source.name": scrub(sys.argv[0]),
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user(),
        **_git_tags(),
        "framesweep.version": __version__,
        "framesweep.host": platform.node(),
        "framesweep.command_line": scrub(shlex.join(sys.argv)),
        "framesweep.run_dir": str(directory.absolute()),
    }


def hash_config(params: Mapping[str, object]) -> str:
    """Return 16 hex digits over the params that can change a run's result, rounding included.

    The keys that affect nothing, as the folder of the corpus or the tracking URI, are left out.
    """
    relevant = {key: value for key, value in params.items() if effect_of(key) != "nothing"}
    text = json.dumps(relevant, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def _git_tags() -> dict[str, str]:
    """Commit of the code, or else of the working directory; nothing outside of git."""
    for folder in (Path(__file__).parent, Path.cwd()):
        commit = _git(folder, "rev-parse", "HEAD")
        if commit:
            changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
            return {
                "mlflow.source.git.commit": commit,
                "mlflow.source.git.dirty": str(bool(changes)).lower(),
            }
    return {}


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
