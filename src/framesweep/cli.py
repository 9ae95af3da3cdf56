"""The two ways in: `train` for train.py and Hydra, `main` for the framesweep command.

Nothing imported here at the top needs torch or MLflow: help and completion stay quick.
"""

import errno
import importlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from framesweep import __version__
from framesweep.config import SCHEMAS
from framesweep.config.composition import compose, flatten, register, to_run_config
from framesweep.config.error_messages import missing_extra, not_an_option, one_line
from framesweep.config.groups import find_conf, option_groups, rename_warnings
from framesweep.errors import ConfigError, FramesweepError, Interrupted

COMMANDS = {
    "train": "Train, or sweep with -m: the same as train.py.",
    "ui": "Compare runs in the MLflow UI.",
    "keys": "Explain config keys: type, unit, default and meaning.",
    "predict": "Write predictions of a run, or of an ensemble, as CSV.",
    "evaluate": "Measure a run on a split that has labels.",
    "prepare": "Read a corpus into its store ahead of training.",
    "inspect": "Show what a corpus holds and what looks wrong.",
    "best": "Print a search's winner and the command that trains it again.",
    "compare": "Print the params that differ between runs, beside their metrics.",
    "reproduce": "Train a run again and say whether its result came out the same.",
    "sync": "Send what runs logged while tracking was away.",
    "bench": "Measure speed against what this machine could do.",
}

FIXABLE_ERRNOS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS),
    *(errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR),
}
"""System errors that are the user's to mend: no space, no permission, no place."""

SWEEP = {"--multirun", "-m"}
NO_RUN = SWEEP | {
    *("--help", "-h", "--hydra-help", "--version", "--info", "-i", "--cfg", "-c"),
    *("--shell-completion", "-sc"),
}
"""Options with which train.py trains nothing, or many times."""

register()


@hydra.main(
    config_path=str(find_conf()),
    config_name="config",
    execution_whitelist=("framesweep.sweeps.*", "framesweep.credentials.*"),
)
def _job(config: DictConfig) -> Any:
    from framesweep.runs.run import run
    from hydra_plugins.framesweep_sweeper import current_trial

    hydra_config = HydraConfig.get()
    directory = Path(hydra_config.runtime.output_dir)
    in_sweep = hydra_config.mode == RunMode.MULTIRUN
    try:
        run_config = to_run_config(config, Path(hydra_config.runtime.cwd))
        return run(run_config, directory, in_sweep=in_sweep)
    except FramesweepError as error:
        if isinstance(error, Interrupted) and in_sweep and current_trial() is None:
            # Hydra's own sweeper takes other errors for the job's, and starts the next.
            raise KeyboardInterrupt from error
        if in_sweep:
            raise
        sys.exit(_complain(error))


def train() -> None:
    """Composes, trains or sweeps as sys.argv says, and exits."""
    if _is_worker():
        sys.exit(_guarded(_run_worker))
    if "TORCHELASTIC_RUN_ID" in os.environ and SWEEP & set(sys.argv[1:]):
        rule = "cannot go with torchrun, each of whose processes would start the sweep"
        fix = "Use hardware.processes=N for trials of several processes."
        sys.exit(_complain(ConfigError("-m", rule, fix=fix)))
    for line in rename_warnings(sys.argv[1:]):
        print(f"warning: {line}", file=sys.stderr)
    # Hydra then raises what it would print with a traceback; `_guarded` words it.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    if any(argument.startswith("resume=") for argument in sys.argv[1:]):
        sys.exit(_guarded(lambda: _resume(sys.argv[1:])))
    sys.exit(_guarded(_job))


def _is_worker() -> bool:
    """Return whether this process is a worker: rank 1 or higher of a run of several."""
    if os.environ.get("RANK", "0") == "0" or "MASTER_ADDR" not in os.environ:
        return False
    if any(argument.partition("=")[0] in NO_RUN for argument in sys.argv[1:]):
        sys.exit(0)  # the first process answers
    return True


def _run_worker() -> None:
    from framesweep.runs.rank_worker import run_worker

    run_worker()


def _resume(arguments: list[str]) -> None:
    from framesweep.runs.run import resume

    values = dict(argument.partition("=")[::2] for argument in arguments)
    run_id = values.pop("resume")
    outputs = values.get("outputs", os.environ.get("FRAMESWEEP_OUTPUTS", "outputs"))
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    overrides = [argument for argument in arguments if not argument.startswith("resume=")]
    resume(run_id, overrides, values.get("tracking.uri"), Path(outputs).absolute())


def _guarded(function: Callable[[], Any]) -> int:
    """Runs `function`; gives the exit code, and one line for what a user can mend."""
    try:
        function()
    except FramesweepError as error:
        return _complain(error)
    except (HydraException, OmegaConfBaseException) as error:
        keys = [*flatten(compose([])), *SCHEMAS]
        print(f"error: {one_line(error, keys)}", file=sys.stderr)
        return 2
    except (RuntimeError, ValueError) as error:
        line = missing_extra(error) or not_an_option(error, sys.argv[1:], option_groups())
        if line is None:
            raise
        print(f"error: {line}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in FIXABLE_ERRNOS:
            raise
        print(f"error: {error.filename or 'disk'}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        return error.__cause__.exit_code if isinstance(error.__cause__, Interrupted) else 130
    return 0


def _complain(error: FramesweepError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return error.exit_code


class _LazyGroup(click.Group):
    """Imports a command's module when it is called or asked for help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "train" or cmd_name not in COMMANDS:
            return _train_command if cmd_name == "train" else None
        module = importlib.import_module(f"framesweep.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    "train", context_settings={"ignore_unknown_options": True}, add_help_option=False
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def _train_command(arguments: tuple[str, ...]) -> None:
    sys.argv = ["framesweep train", *arguments]
    train()


@click.command(cls=_LazyGroup)
@click.version_option(__version__)
def _framesweep() -> None:
    """Experiments and sweeps for frame-level classification of speech."""


def main() -> None:
    """The framesweep command."""
    sys.exit(_guarded(lambda: _framesweep(standalone_mode=True)))
