"""Lets the workers of a Ray cluster find the files that the command which uses them finds.

A worker has the folder and the environment in which its cluster was started. There, relative
paths of outputs and corpora would mean other files.
"""

import os
from collections.abc import Mapping

from framesweep.credentials import scrub

FOLDER_VARIABLE = "FRAMESWEEP_FOLDER"
"""Environment variable with the folder in which a command was started."""

PREFIX = "FRAMESWEEP_"


def describe_worker_environment(
    folder: str, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment variables of Ray's workers, for `runtime_env`.

    They are those of framesweep, without any that contain credentials: Ray shows them.

    Args:
        folder: Where the command was started.
        environment: The environment of the command.
    """
    ours = {
        name: value
        for name, value in environment.items()
        if name.startswith(PREFIX) and scrub(value) == value
    }
    return ours | {FOLDER_VARIABLE: folder}


def enter_folder() -> None:
    """Enter the folder in which the command was started, if this machine has it.

    Ray calls this in each worker, before its first job.
    """
    folder = os.environ.get(FOLDER_VARIABLE, "")
    if os.path.isdir(folder):  # noqa: PTH112 - unlike Path's, it never raises
        os.chdir(folder)
