"""framesweep completion: print the script that lets a shell complete with Tab."""

from pathlib import Path

import click

SHELLS = ("bash", "zsh")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the script that completes framesweep and `python train.py` with the Tab key.

    For bash, add this line to ~/.bashrc:

        source <(framesweep completion bash)

    For zsh, add it to ~/.zshrc with zsh in place of bash. Open a new terminal afterwards.
    """
    click.echo(read_script(shell), nl=False)


def read_script(shell: str) -> str:
    """Return the completion script for bash or zsh."""
    return Path(__file__).with_name(f"completion.{shell}").read_text(encoding="utf-8")
