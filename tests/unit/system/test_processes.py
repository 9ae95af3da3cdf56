"""Children end with their own, and memory is measured."""

import os
import resource
import signal
import subprocess
import sys

import pytest

from framesweep.errors import InsufficientMemoryError
from framesweep.system.processes import (
    count_machine_memory,
    end_group,
    measure_peak_memory,
    own_group_options,
    require_address_space,
)


@pytest.mark.heavy
def test_a_group_that_ignores_sigterm_is_killed_with_its_children() -> None:
    script = "trap '' TERM; sleep 60 & echo $!; wait"
    process = subprocess.Popen(
        ["sh", "-c", script], stdout=subprocess.PIPE, **own_group_options()
    )
    assert process.stdout is not None
    process.stdout.readline()
    end_group(process, seconds=0.2)
    assert process.returncode == -signal.SIGKILL
    # The pipe reaches its end once no process of the group holds it any more.
    assert process.stdout.read() == b""
    process.stdout.close()


@pytest.mark.heavy
def test_without_process_groups_the_process_itself_is_killed(monkeypatch) -> None:
    monkeypatch.delattr(os, "killpg")
    options = own_group_options()
    assert options == {"creationflags": 0}
    process = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, **options
    )
    end_group(process, seconds=0.2)
    assert process.returncode == -signal.SIGKILL
    assert process.stdin is not None
    process.stdin.close()


def test_the_peak_is_at_most_the_memory_of_the_machine() -> None:
    assert 1 << 20 < measure_peak_memory() < count_machine_memory()


def test_too_few_addresses_are_an_error_that_names_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2**30, resource.RLIM_INFINITY))
    with pytest.raises(
        InsufficientMemoryError, match=r"1536 MB .* found .1024 MB.\. .* ulimit -v"
    ):
        require_address_space()


@pytest.mark.parametrize("limit", [2**40, resource.RLIM_INFINITY])
def test_enough_addresses_are_no_error(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, resource.RLIM_INFINITY))
    require_address_space()
