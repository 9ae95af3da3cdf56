"""Closed, full and broken standard streams disturb no command."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from framesweep.system.streams import (
    flush_streams,
    is_stdout_closed,
    print_error,
    repair_streams,
)

COMMAND = """
import logging, os, sys
from framesweep.system.streams import flush_streams, print_error, repair_streams
repair_streams()
file = os.open("file", os.O_CREAT | os.O_WRONLY)
assert file > 2, file
logging.basicConfig(stream=sys.stdout, level=logging.INFO)
for number in range(20):
    logging.info("line %d", number)
try:
    os.write(2, b"a library prints this")
except OSError:
    pass
print_error("error: something")
flush_streams()
sys.exit(7)
"""


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_characters_that_the_encoding_lacks_are_written_as_escapes(monkeypatch, encoding):
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding) for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    repair_streams()
    print("phone tʃ")
    print_error("error: no phone tʃ")
    flush_streams()
    written = {"utf-8": "tʃ".encode()}.get(encoding, rb"t\u0283")
    for stream in streams.values():
        assert written in stream.buffer.getvalue()


@pytest.mark.parametrize(
    "redirection", ["1>&-", "2>&-", "0<&- 1>&- 2>&-", ">/dev/full", "2>/dev/full", "| true"]
)
def test_a_command_ends_with_its_own_exit_code_and_no_traceback(tmp_path, redirection):
    (tmp_path / "command.py").write_text(COMMAND)
    shell = f"{sys.executable} command.py {redirection}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 7, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "Logging error" not in done.stderr
    assert (tmp_path / "file").read_bytes() == b""


def test_a_pipe_that_nobody_reads_any_more_is_closed(monkeypatch):
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert not is_stdout_closed()
        os.close(reader)
        assert is_stdout_closed()
    with Path(os.devnull).open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert not is_stdout_closed()
