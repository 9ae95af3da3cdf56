"""Calling a function in several processes, or in this one."""

import os
from pathlib import Path

import framesweep
from framesweep.bench.search.parallel import map_in_processes

PATHS = ["/a/b", "/c", "/d/e/f"]


def test_results_are_those_of_one_process_in_the_same_order(monkeypatch) -> None:
    # A model that another test has loaded may have put its copy of the package first.
    monkeypatch.syspath_prepend(Path(framesweep.__file__).parents[1])
    alone = list(map_in_processes(os.path.basename, PATHS, 1))
    assert alone == ["b", "c", "f"]
    assert list(map_in_processes(os.path.basename, PATHS, 2)) == alone


def test_one_process_is_this_one() -> None:
    # A lambda cannot be sent to another process.
    assert list(map_in_processes(lambda item: os.getpid(), PATHS, 1)) == [os.getpid()] * 3
