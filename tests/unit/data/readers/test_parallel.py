"""Parallel work is ordered, resumable, and ends with its parent process."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from countable import frames
from framesweep.data.readers import parallel
from framesweep.data.readers.parallel import compute_in_parallel
from framesweep.errors import DataError


def run(items, folder, workers=1, **keys):
    function = partial(frames, **keys)
    return list(
        compute_in_parallel(function, items, folder=folder, name="train", workers=workers)
    )


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("labelled", [True, False])
def test_results_come_in_the_order_of_the_items(tmp_path, workers, labelled):
    items = [3, 1, 2, *range(1, 80)]
    found = run(items, tmp_path / "parts", workers, labelled=labelled)
    assert [len(features) for features, _ in found] == items
    for item, (features, labels) in zip(items, found, strict=True):
        assert features.tolist() == [[item, item]] * item
        assert labels is None if not labelled else labels.tolist() == [item] * item


def test_items_are_computed_in_other_processes(tmp_path):
    run(list(range(1, 80)), None, workers=2, log=tmp_path)
    processes = {path.name.split("-")[1] for path in tmp_path.iterdir()}
    assert str(os.getpid()) not in processes


def test_interrupted_work_continues_with_what_is_missing(tmp_path):
    items, log = list(range(1, 80)), tmp_path / "log"
    log.mkdir()
    everything = compute_in_parallel(
        partial(frames, log=log), items, folder=tmp_path / "p", name="train", workers=1
    )
    for _ in range(40):  # into the second part
        next(everything)
    everything.close()
    done = {path.name.split("-")[0] for path in log.iterdir()}
    assert len(done) == 2 * parallel.GROUP
    for path in log.iterdir():
        path.unlink()
    found = run(items, tmp_path / "p", log=log)
    assert [len(features) for features, _ in found] == items
    again = {path.name.split("-")[0] for path in log.iterdir()}
    assert again == {str(item) for item in items} - done


def test_damaged_part_is_computed_again(tmp_path):
    run([1, 2, 3], tmp_path)
    (part,) = tmp_path.iterdir()
    for damaged in (b"", b"PK\x03\x04", part.read_bytes()[:-40]):
        part.write_bytes(damaged)
        assert [len(features) for features, _ in run([1, 2, 3], tmp_path)] == [1, 2, 3]


@pytest.mark.parametrize("function", ["atomic_file", "_read_part"])
def test_parts_may_be_removed_by_another_process_that_prepared_the_same_corpus(
    tmp_path, monkeypatch, function
):
    """It removes the folder while a part is written, or before the part is read back."""
    original, calls = getattr(parallel, function), []

    @contextlib.contextmanager
    def removed(path):
        with original(path) as temporary:
            yield temporary
            calls.append(path)
            if len(calls) == 1:
                shutil.rmtree(path.parent)

    def read_removed(path):
        calls.append(path)
        if len(calls) == 2:  # the first call finds no part yet
            shutil.rmtree(path.parent)
        return original(path)

    replacement = removed if function == "atomic_file" else read_removed
    monkeypatch.setattr(parallel, function, replacement)
    found = run([1, 2, 3], tmp_path / "parts")
    assert [len(features) for features, _ in found] == [1, 2, 3]
    assert len(calls) >= 2


@pytest.mark.parametrize("workers", [1, 2])
def test_error_is_passed_on_and_leaves_no_broken_part(tmp_path, workers):
    with pytest.raises(DataError, match=r"item 70: must not be this one; found 70\. Leave it"):
        run(list(range(1, 80)), tmp_path, workers, fail_at=70)
    assert {path.name for path in tmp_path.iterdir()} == {
        "train-000000.npz",
        "train-000001.npz",
    }


def test_workers_exit_when_their_parent_is_killed(tmp_path):
    code = (
        "import sys; sys.path[:0] = [sys.argv[2]]\n"
        "from functools import partial\n"
        "from pathlib import Path\n"
        "from countable import frames\n"
        "from framesweep.data.readers.parallel import compute_in_parallel\n"
        "if __name__ == '__main__':\n"
        "    work = partial(frames, log=sys.argv[1])\n"
        "    items = [1] * 9999\n"
        "    for _ in compute_in_parallel(work, items, folder=None, name='x', workers=2):\n"
        "        print(flush=True)\n"
        "        sys.stdin.read()\n"
    )
    script = tmp_path / "job.py"
    script.write_text(code)
    log = tmp_path / "log"
    log.mkdir()
    tests = str(Path(__file__).parents[3])
    job = subprocess.Popen(
        [sys.executable, str(script), str(log), tests],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert job.stdout is not None
    job.stdout.readline()
    workers = {int(path.name.split("-")[1]) for path in log.iterdir()}
    job.kill()
    job.communicate()
    assert workers
    deadline = time.monotonic() + 120
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, workers))


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except OSError:
        return False
