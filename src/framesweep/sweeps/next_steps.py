"""The commands that show and use the results of a sweep."""

from dataclasses import replace

from framesweep.config import RunConfig
from framesweep.config.command_line import (
    compare_hint,
    is_in_python,
    storage_options,
    where_options,
)
from framesweep.config.shell_words import join_command


def list_next_steps(
    config: RunConfig, study_name: str | None, runs: str, storage: str | None = None
) -> list[str]:
    """Return lines with the commands to type after a sweep.

    Args:
        config: The config of the sweep.
        study_name: The name of its study; None if commands cannot find it.
        runs: What its runs are called, such as `trials`.
        storage: The storage of the study; None for the database in the outputs folder.
    """
    if is_in_python():
        return [f"next: {compare_hint(config)}   compares the {runs}"]
    steps = []
    if study_name is not None:
        folder = where_options(replace(config, tracking=replace(config.tracking, uri=None)))
        if storage is not None:
            folder += storage_options(config, storage)
        best = join_command(["framesweep", "best", study_name, *folder])
        steps.append(f"{best}   prints how to train the best again")
    if config.tracking.backend == "mlflow":
        steps.append(f"{compare_hint(config)}   compares the {runs}")
    return [f"{'next: ' if i == 0 else '      '}{step}" for i, step in enumerate(steps)]
