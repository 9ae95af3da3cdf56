"""What a run came from: code, command line, machine and config."""

import functools
import getpass
import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from framesweep import __version__
from framesweep.catalog.database import RUN_DIRECTORY_TAG
from framesweep.config.command_line import started_command
from framesweep.config.effects import effect_of
from framesweep.credentials import scrub

CONFIG_HASH_TAG = "framesweep.config_hash"
"""Tag with the hash of a run's whole config."""

GIT_SECONDS = 10.0
"""How long git may take; on a slow network file system it may not answer at all."""


def collect_provenance(directory: Path) -> dict[str, str]:
    """Return tags that describe how the run in `directory` was started, without credentials."""
    return {
        "mlflow.source.name": scrub(sys.argv[0]),
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _get_user(),
        **_git_tags(),
        "framesweep.version": __version__,
        "framesweep.host": platform.node(),
        "framesweep.command_line": started_command(),
        RUN_DIRECTORY_TAG: str(directory.absolute()),
    }


def hash_config(params: Mapping[str, object]) -> str:
    """Return 16 hex digits over the params that can change a run's result, rounding included.

    Two runs with the same hash, commit and data fingerprint are the same experiment, so keys
    that affect nothing, such as the corpus's directory or the tracking URI, are left out. Keys
    are sorted, so that their order does not matter. 64 bits suffice: among a million configs,
    the probability that any two agree by chance is about 3e-8.
    """
    relevant = {key: value for key, value in params.items() if effect_of(key) != "nothing"}
    text = json.dumps(relevant, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def _git_tags() -> dict[str, str]:
    """Return tags of the commit of this code; of the working directory if it is not in git.

    The second case is an installed package, whose user may keep configs under git. Without any
    repository there are no tags. Cached, because the code that a process runs does not change.
    """
    for folder in (Path(__file__).parent, Path.cwd()):
        commit = _run_git(folder, "rev-parse", "HEAD")
        if commit:
            changes = _run_git(folder, "status", "--porcelain", "--untracked-files=no")
            return {
                "mlflow.source.git.commit": commit,
                "mlflow.source.git.dirty": str(bool(changes)).lower(),
            }
    return {}


def _run_git(folder: Path, *arguments: str) -> str:
    """Return what a git command prints; nothing if it fails, or if git is not installed."""
    # `git status` may otherwise lock a repository in which the user is working.
    command = ["git", "-C", str(folder), "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _get_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # In a container, the user's id may have no name.
        return ""
