"""The entry points: `train` for train.py, which Hydra configures, and `main` for framesweep.

No module imported at the top of this one needs torch or MLflow, which take seconds to import,
so that --help and shell completion respond immediately.
"""

import importlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from framesweep.startup import ended_by_ctrl_c

with ended_by_ctrl_c():
    import click
    import hydra
    from omegaconf import DictConfig

    from framesweep import __version__
    from framesweep.commands import COMMANDS
    from framesweep.commands.completion import SHELLS, read_script
    from framesweep.config.composition import register
    from framesweep.config.groups import find_conf, hide_unlisted, rename_warnings
    from framesweep.config.paths import default_outputs, expand_override
    from framesweep.config.user_files import require_no_run_folders, require_text
    from framesweep.credentials import keep_files_private, printable
    from framesweep.errors import ConfigError, FramesweepError, UserError, unwrapped_aborts
    from framesweep.runs.job import (
        TRUSTED_TARGETS,
        is_in_sweep,
        remove_empty_directory,
        run_job,
    )
    from framesweep.system.drawing.matplotlib_backend import draw_into_files
    from framesweep.system.error_lines import describe_error
    from framesweep.system.processes import require_address_space
    from framesweep.system.signals import ended_by_signals, get_signal_code
    from framesweep.system.streams import (
        flush_streams,
        is_stdout_closed,
        print_error,
        repair_streams,
    )

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
    code = _exit_code_of(lambda: run_job(config))
    if code:
        remove_empty_directory()
        sys.exit(code)
    return None


def train() -> None:
    """Train, sweep or resume as the command line says, and exit with its code."""
    repair_streams()
    if _is_request_for_completion(sys.argv[1:]):
        print(read_script(sys.argv[2].partition("=")[2]), end="")
        sys.exit(0)
    draw_into_files()
    keep_files_private(sys.argv[1:])
    if _is_worker():
        # Rank 0 ends it by SIGTERM, which must not be delayed.
        sys.exit(_exit_code_of(_run_worker))
    _run_command()


@ended_by_signals()
def _run_command() -> None:
    if "TORCHELASTIC_RUN_ID" in os.environ and SWEEP_FLAGS & set(sys.argv[1:]):
        rule = "cannot be used with torchrun: each of its processes would start the sweep"
        fix = "Use hardware.processes=N for trials of several processes."
        sys.exit(_print_error(ConfigError("-m", rule, fix=fix)))
    sys.argv[1:] = preview_sweep(sys.argv[1:])
    sys.argv[1:] = map(hide_unlisted, map(expand_override, sys.argv[1:]))
    for line in rename_warnings(sys.argv[1:]):
        print(f"warning: {line}", file=sys.stderr)
    # Hydra would print its own errors with a traceback. With this variable it raises them, so
    # that they are printed in one line like all others.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    if any(argument.startswith("resume=") for argument in sys.argv[1:]):
        sys.exit(_exit_code_of(lambda: _resume(sys.argv[1:])))
    sys.exit(_exit_code_of(_train))


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


def _exit_code_of(function: Callable[[], Any]) -> int:
    """Call a function and return the exit code of the process.

    An error that a user can fix is printed in one line; any other is raised with its traceback.
    """
    try:
        with unwrapped_aborts():
            function()
    except FramesweepError as error:
        return _print_error(error)
    except KeyboardInterrupt as error:
        return get_signal_code(error)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and is_stdout_closed():
            # As if SIGPIPE had ended it, which is what `| head` does to other programs.
            flush_streams()
            return 128 + signal.SIGPIPE
        line = describe_error(error, sys.argv[1:])
        if line is None:
            raise
        return _print_line(line)
    flush_streams()
    return 0


def _print_error(error: FramesweepError) -> int:
    return _print_line(str(error), error.exit_code)


def _print_line(line: str, code: int = UserError.exit_code) -> int:
    print_error(f"error: {printable(line)}")
    flush_streams()
    return code


class _LazyGroup(click.Group):
    """Imports the module of a command only when the command runs or prints its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "train" or cmd_name not in COMMANDS:
            return _train_command if cmd_name == "train" else None
        module = importlib.import_module(f"framesweep.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            # click would print that it was aborted, and exit with 1 whatever the signal was.
            sys.exit(get_signal_code(error))

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
    """Train frame-level phone classifiers, sweep over their settings, and use the results."""


@ended_by_signals()
def main() -> None:
    """Run the framesweep command and exit with its code."""
    repair_streams()
    draw_into_files()
    keep_files_private(sys.argv[1:])
    sys.exit(_exit_code_of(lambda: _framesweep(standalone_mode=True)))


if __name__ == "__main__":
    main()
