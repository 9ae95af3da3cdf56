"""Limits of the system on files, their sizes and names, and memory."""

import subprocess
import sys

import pytest

from e2e.conftest import REPOSITORY

pytestmark = pytest.mark.heavy


def train(shell, limit, *arguments):
    """Train for an epoch under a limit of the shell, and return what it printed as errors."""
    command = [sys.executable, str(REPOSITORY / "train.py"), *shell.small, "train.epochs=1"]
    return subprocess.run(
        ["sh", "-c", f'{limit}; exec "$@"', "sh", *command, "tracking=none", *arguments],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("limit", "error"),
    [
        ("ulimit -n 8", "Too many open files"),
        ("ulimit -n 11", "Too many open files"),
        ("ulimit -f 4", "File too large. Raise the limit with ulimit -f"),
        ("ulimit -v 1000000", "memory of the process: must not be limited to less than"),
    ],
)
def test_a_limit_ends_a_run_in_one_line_and_leaves_nothing_half_written(shell, limit, error):
    done = train(shell, limit)
    assert done.returncode == 2, done.stderr
    assert [error in line for line in done.stderr.splitlines() if line[:6] == "error:"] == [
        True
    ]
    assert "Traceback" not in done.stderr
    assert not list(shell.folder.rglob("*.tmp"))
    assert train(shell, "true").returncode == 0


@pytest.mark.parametrize("folder", ["a" * 300, "/".join(["b" * 100] * 45)])
def test_a_name_that_is_too_long_is_a_one_line_error(shell, folder):
    done = train(shell, "true", f"outputs={shell.folder}/{folder}")
    assert done.returncode == 2
    assert "File name too long" in done.stderr
    assert len([line for line in done.stderr.splitlines() if line[:6] == "error:"]) == 1
    assert "Traceback" not in done.stderr
