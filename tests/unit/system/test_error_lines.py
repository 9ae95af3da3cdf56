"""The lines that describe errors of libraries."""

import errno

import pytest
from hydra.errors import HydraException
from yaml.scanner import ScannerError

from framesweep.config.composition import compose, register
from framesweep.system.error_lines import describe_error

register()


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left", "file"), "file: No space left"),
        (OSError(errno.EMFILE, "Too many files"), "disk: Too many files. Raise the limit with"),
        (OSError(errno.EROFS, "Read-only", "runs"), "runs: Read-only. Choose another place"),
        (PermissionError(errno.EACCES, "Denied", "outputs"), "outputs: Denied. Change its per"),
        (OSError(errno.ENOTDIR, "Not a folder", "a/b"), "a/b: Not a folder. A folder in this"),
        (MemoryError("Cannot allocate 2 TB"), "memory of the machine: Cannot allocate 2 TB"),
        (HydraException("Something\nis wrong"), "Something is wrong"),
        (ImportError("x.so: failed to map segment"), "memory: must suffice for the libraries"),
        (ScannerError(problem="found a tab"), ""),
    ],
)
def test_an_error_that_a_user_can_fix_has_one_line(error, line):
    described = describe_error(error, [])
    assert described is not None
    assert described.startswith(line)
    assert "\n" not in described


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError(errno.EIO, "broken disk")])
def test_any_other_error_has_none(error):
    assert describe_error(error, []) is None


def test_a_misspelt_key_is_described_with_the_nearest():
    with pytest.raises(HydraException) as raised:
        compose(["data.contxt=3"])
    assert describe_error(raised.value, []) == (
        "data.contxt: no such key. Did you mean data.context?"
    )
