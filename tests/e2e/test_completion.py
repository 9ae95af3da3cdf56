"""The Tab key, pressed in real shells."""

import os
import shutil
import sys
from pathlib import Path

import pexpect
import pytest

from documents import REPOSITORY
from framesweep.catalog.run_file import write_run_file

RUN_ID = "0123456789abcdef" * 2
BIN = Path(sys.executable).parent
SECONDS = 120
"""How long to wait for a shell on a busy machine; each wait ends with the awaited text."""

START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "bind 'set enable-bracketed-paste off'"),
    "zsh": (["zsh", "-f", "-i"], "unset zle_bracketed_paste"),
}


class Terminal:
    """A shell with the completion script in a terminal, in a folder with one run."""

    def __init__(self, shell: str, folder: Path) -> None:
        self.shell = shell
        words, setup = START[shell]
        environment = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(folder),
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
        }
        self._child = pexpect.spawn(
            words[0],
            words[1:],
            cwd=folder,
            env=environment,
            encoding="utf-8",
            timeout=SECONDS,
            dimensions=(60, 300),
        )
        self._child.sendline(f"{setup}; source <(framesweep completion {shell}); echo LOA''DED")
        self._child.expect("LOADED")

    def complete(self, line: str) -> str:
        """Return what a line becomes when Tab is pressed at its end."""
        # The line is printed by `echo`, because what a terminal shows while it is edited also
        # contains bells and movements of the cursor.
        self._child.send(f"{line}\t\x01echo \\[\\[\x05\\]\\]\r")
        self._child.expect(r"\r\n\[\[(.*?)\]\]")
        return self._child.match[1]

    def list(self, line: str, *expected: str) -> None:
        """Wait until Tab has listed all that is expected, in this order."""
        self._child.send(f"{line}\t\t" if self.shell == "bash" else f"{line}\t")
        for text in expected:
            self._child.expect_exact(text)
        self._child.send("\x15")

    def close(self) -> None:
        self._child.close(force=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = tmp_path / "outputs" / "runs" / "2026-01-02" / "10-20-30-abcdef"
    (run / "tracking").mkdir(parents=True)
    (run / "config.yaml").touch()
    write_run_file(run / "tracking", {"key": "k", "run_id": RUN_ID, "uri": "http://host"})
    shutil.copy(REPOSITORY / "train.py", tmp_path)
    (tmp_path / "other.py").touch()
    (tmp_path / "only_this.wav").touch()
    return tmp_path


@pytest.mark.heavy
@pytest.mark.parametrize("shell", START)
def test_tab_completes_commands_runs_groups_keys_and_values(shell, folder):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    terminal = Terminal(shell, folder)
    try:
        for line, completed in (
            ("framesweep ev", "framesweep evaluate "),
            ("framesweep evaluate 01", "framesweep evaluate 01234567 "),
            ("framesweep evaluate last --spl", "framesweep evaluate last --split "),
            ("framesweep inspect data=k", "framesweep inspect data=kaldi "),
            ("framesweep train resume=l", "framesweep train resume=last "),
            ("python train.py mode", "python train.py model"),
            ("python train.py model=w", "python train.py model=wide "),
            ("python ./train.py -m data.cont", "python ./train.py -m data.context="),
            ("python train.py data.padding=c", "python train.py data.padding=cross "),
            ("python train.py data.root=out", "python train.py data.root=outputs/"),
            ("python train.py -m model=base,w", "python train.py -m model=base,wide "),
            # What is not framesweep's is completed as before: by the names of files.
            ("python oth", "python other.py "),
            ("python other.py onl", "python other.py only_this.wav "),
        ):
            # zsh removes a space or a slash at the end again when the cursor moves.
            wanted = completed if shell == "bash" else completed.rstrip(" /")
            assert terminal.complete(line) == wanted
        terminal.list("framesweep evaluate ", "01234567", "best", "last")
        terminal.list("python train.py model=", "base", "conv", "wide")
    finally:
        terminal.close()
