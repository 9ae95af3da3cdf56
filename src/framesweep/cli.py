"""The entry points: `train` for train.py, which Hydra configures, and `main` for framesweep.

No module imported at the top of this one needs Hydra, torch or MLflow, which take long to
import, so that --help and shell completion respond immediately.
"""

import importlib
import sys
from typing import Any

from framesweep.startup import ended_by_ctrl_c

with ended_by_ctrl_c():
    import click

    from framesweep import __version__
    from framesweep.commands import COMMANDS
    from framesweep.credentials import keep_files_private
    from framesweep.exit_codes import exit_code_of
    from framesweep.system.drawing.matplotlib_backend import draw_into_files
    from framesweep.system.signals import ended_by_signals, get_signal_code
    from framesweep.system.streams import repair_streams


def train() -> None:
    """Train, sweep or resume as the command line says, and exit with its code."""
    with ended_by_ctrl_c():
        from framesweep.train_command import run
    run()


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
    sys.exit(exit_code_of(lambda: _framesweep(standalone_mode=True)))


if __name__ == "__main__":
    main()
