"""The command that Hydra configures: `python train.py`, also as `framesweep train`.

Nothing imported at the top of this module needs torch or MLflow, which take seconds to import,
so that --help responds immediately.
"""

import logging
import os
import sys
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

from framesweep.commands.completion import SHELLS, read_script
from framesweep.config.composition import register
from framesweep.config.groups import find_conf, hide_unlisted, rename_warnings
from framesweep.config.paths import default_outputs, expand_override
from framesweep.config.user_files import require_no_run_folders, require_text
from framesweep.credentials import keep_files_private
from framesweep.errors import ConfigError
from framesweep.exit_codes import exit_code_of, print_user_error
from framesweep.runs.job import (
    TRUSTED_TARGETS,
    is_in_sweep,
    remove_empty_directory,
    run_job,
)
from framesweep.system.drawing.matplotlib_backend import draw_into_files
from framesweep.system.processes import require_address_space
from framesweep.system.signals import ended_by_signals
from framesweep.system.streams import repair_streams

register()

SWEEP_FLAGS = {"--multirun", "-m"}
OTHER_FLAGS = {
    *("--help", "-h", "--hydra-help", "--version", "--info", "-i", "--cfg", "-c"),
    *("--shell-completion", "-sc"),
}
"""Flags with which train.py does not train."""


@hydra.main(
    config_path=str(find_conf()), config_name="config", execution_whitelist=TRUSTED_TARGETS
)
def _job(config: DictConfig) -> Any:
    if is_in_sweep():
        return run_job(config)
    # Hydra would print a line of its own before that of an error.
    code = exit_code_of(lambda: run_job(config))
    if code:
        remove_empty_directory()
        sys.exit(code)
    return None


def run() -> None:
    """Train, sweep or resume as the command line says, and exit with its code."""
    repair_streams()
    if _is_request_for_completion(sys.argv[1:]):
        print(read_script(sys.argv[2].partition("=")[2]), end="")
        sys.exit(0)
    draw_into_files()
    keep_files_private(sys.argv[1:])
    if _is_worker():
        # Rank 0 ends it by SIGTERM, which must not be delayed.
        sys.exit(exit_code_of(_run_worker))
    _run_command()


@ended_by_signals()
def _run_command() -> None:
    if "TORCHELASTIC_RUN_ID" in os.environ and SWEEP_FLAGS & set(sys.argv[1:]):
        rule = "cannot be used with torchrun: each of its processes would start the sweep"
        fix = "Use hardware.processes=N for trials of several processes."
        sys.exit(print_user_error(ConfigError("-m", rule, fix=fix)))
    sys.argv[1:] = preview_sweep(sys.argv[1:])
    sys.argv[1:] = map(hide_unlisted, map(expand_override, sys.argv[1:]))
    for line in rename_warnings(sys.argv[1:]):
        print(f"warning: {line}", file=sys.stderr)
    # Hydra would print its own errors with a traceback. With this variable it raises them, so
    # that they are printed in one line like all others.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    if any(argument.startswith("resume=") for argument in sys.argv[1:]):
        sys.exit(exit_code_of(lambda: _resume(sys.argv[1:])))
    sys.exit(exit_code_of(_train))


def preview_sweep(arguments: list[str]) -> list[str]:
    """Return the arguments with a preview in place of `--cfg job`, if they are a sweep's.

    A sweep has no single config that Hydra could print.
    """
    for option in (["--cfg", "job"], ["-c", "job"], ["--cfg=job"]):
        for i in range(len(arguments)):
            if arguments[i : i + len(option)] == option and SWEEP_FLAGS & set(arguments):
                rest = arguments[i + len(option) :]
                return [*arguments[:i], *rest, "sweep.preview=true"]
    return arguments


def _train() -> None:
    require_text(sys.argv[1:])
    require_no_run_folders(sys.argv[1:])
    _job()


def _is_request_for_completion(arguments: list[str]) -> bool:
    """Return whether Hydra's flag for a completion script was given.

    Hydra's own script completes only files that contain `@hydra.main`, unlike train.py.
    """
    installs = [f"install={shell}" for shell in SHELLS]
    return (
        len(arguments) > 1
        and arguments[0] in ("-sc", "--shell-completion")
        and arguments[1] in installs
    )


def _is_worker() -> bool:
    """Return whether this process has rank 1 or higher among those of one run."""
    if os.environ.get("RANK", "0") == "0" or "MASTER_ADDR" not in os.environ:
        return False
    flags = SWEEP_FLAGS | OTHER_FLAGS
    if any(argument.partition("=")[0] in flags for argument in sys.argv[1:]):
        sys.exit(0)  # rank 0 prints the help or the error
    return True


def _run_worker() -> None:
    from framesweep.runs.rank_worker import run_process

    run_process()


def _resume(arguments: list[str]) -> None:
    require_address_space()
    from framesweep.runs.run import resume

    values = dict(argument.partition("=")[::2] for argument in arguments)
    run_id = values.pop("resume")
    outputs = values.get("outputs", default_outputs())
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    overrides = [argument for argument in arguments if not argument.startswith("resume=")]
    resume(run_id, overrides, values.get("tracking.uri"), Path(outputs).expanduser().absolute())
