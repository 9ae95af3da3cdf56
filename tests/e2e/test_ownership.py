"""Two processes never write to one run: the second is refused, a superseded one stops."""

import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest
import torch
from filelock import FileLock, Timeout

from framesweep.tracking.outbox import OUTBOX_FILE
from processes import is_suspended, process_tree, send_signal

SECONDS = 600


def query(database: Path, statement: str) -> list[tuple]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(statement).fetchall()


def wait_for(condition, process):
    end = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def epochs(outputs: Path) -> tuple[int, int]:
    """Return the number of dev losses in MLflow, and that of epochs which have one."""
    statement = "select count(*), count(distinct step) from metrics where key='dev/loss'"
    return query(outputs / "mlflow.db", statement)[0]


@pytest.mark.heavy
def test_a_second_resume_and_a_sync_of_a_running_run_are_refused(shell):
    shell.train(*shell.small, "optim=adam")  # at a constant rate, a run may become longer
    (run,) = shell.runs
    outbox = run / "tracking" / "outbox.jsonl"
    database = sqlite3.connect(shell.folder / "outputs" / "mlflow.db", isolation_level=None)
    database.execute("begin immediate")  # the run's records have to wait, to be sent by `sync`
    first = shell.start(f"resume={run}", "train.epochs=1000000")
    try:
        wait_for(lambda: outbox.stat().st_size > 0, first)
        line = f"error: {run}: is being trained by {first.pid} on "
        for refused in (
            shell.train(f"resume={run}", "train.epochs=1000000", code=2),
            shell.framesweep("sync", str(run), code=2),
        ):
            assert refused.stderr.splitlines()[-1].startswith(line)
            assert "Traceback" not in refused.stderr
        database.close()
        wait_for(lambda: epochs(shell.folder / "outputs")[1] > 3, first)
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=SECONDS)
    finally:
        first.kill()
    rows, steps = epochs(shell.folder / "outputs")
    assert rows == steps > 2
    assert not (run / ".owner").exists()


@pytest.mark.heavy
def test_a_killed_run_is_resumed_immediately(shell):
    first = shell.start(*shell.small, "train.epochs=400")
    wait_for(lambda: [*(shell.folder / "outputs").glob("runs/*/*/checkpoints/last.pt")], first)
    first.kill()
    first.communicate()
    (run,) = shell.runs
    assert (run / ".owner").exists()
    shell.train(f"resume={run}", "train.max_minutes=0.01")
    rows, steps = epochs(shell.folder / "outputs")
    assert rows == steps


def lasting_files(folder: Path) -> set[Path]:
    """Return a folder's files but those half-written ones that their writer removes itself.

    A process may be suspended while it writes one: it then removes it when it wakes up.
    """
    return {p for p in folder.rglob("*") if p.is_file() and p.suffix != ".tmp"}


def is_database_locked(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("begin exclusive")
        except sqlite3.OperationalError:
            return True
    return False


def is_file_locked(path: Path) -> bool:
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def suspend(pids: list[int], trial: Path) -> None:
    """Suspend the processes of a sweep, at a moment when they and their trial hold no lock.

    A suspended process keeps its locks: no other sweep could continue the study or the trial,
    and what it logs to MLflow would have to wait.
    """
    outputs = trial.parents[2]
    databases = [outputs / "studies.db", outputs / "mlflow.db"]
    files = [outputs / "studies.db.claims", trial / ".owner.lock"]

    def is_idle() -> bool:
        return (
            all(map(is_suspended, pids))
            and not any(map(is_database_locked, databases))
            and not any(map(is_file_locked, files))
        )

    end = time.monotonic() + SECONDS
    send_signal(pids, signal.SIGSTOP)
    while not is_idle():
        assert time.monotonic() < end
        send_signal(pids, signal.SIGCONT)
        time.sleep(0.01)  # as long as they usually hold one
        send_signal(pids, signal.SIGSTOP)


@pytest.mark.heavy
@pytest.mark.parametrize("moment", ["best.safetensors", "last.pt"])
def test_a_suspended_sweep_whose_trial_was_taken_over_writes_nothing(shell, moment):
    command = [
        *["-m", "sweep=bare", *shell.small, "train.epochs=40", "data.context=choice(1)"],
        *["hydra/sweeper/sampler=grid", "hydra/sweeper/pruner=none", "train.smooth=false"],
        *[
            "hydra.sweeper.study_name=s",
            "hydra.sweeper.n_trials=1",
            "hydra.sweeper.heartbeat=1",
        ],
    ]
    outputs = shell.folder / "outputs"
    trial = outputs / "sweeps" / "s" / "0"
    suspended = shell.start(*command, stderr=subprocess.STDOUT, warm_workers=True)
    tree: list[int] = []
    try:
        wait_for((trial / "checkpoints" / moment).exists, suspended)
        tree = process_tree(suspended.pid)
        suspend(tree, trial)
        shell.train(*command)
        files = {p: p.read_bytes() for p in lasting_files(trial)}
        send_signal(tree, signal.SIGCONT)
        output, _ = suspended.communicate(timeout=SECONDS)
    finally:
        send_signal(tree or [suspended.pid], signal.SIGKILL)
    assert suspended.returncode == 0, output
    assert "Traceback" not in output
    assert lasting_files(trial) == set(files)
    assert not [*trial.rglob("*.tmp")]
    added = {p.name: p.read_bytes()[len(old) :].decode() for p, old in files.items()}
    log = added.pop("train.log")  # which says why the job ended
    assert "trial 0 was taken over" in log
    # It may have been suspended after the check, just before it logged an epoch and printed it.
    assert log.count("console: epoch ") <= 1
    printed = added.pop("console.log").splitlines()
    assert len(printed) <= 1
    assert all(line.startswith("epoch ") for line in printed)
    assert set(added.values()) == {""}
    changed = {p.name for p, old in files.items() if not p.read_bytes().startswith(old)}
    assert not changed, output + log
    assert (trial / "tracking" / OUTBOX_FILE).read_bytes() == b""
    state = torch.load(trial / "checkpoints" / "last.pt", weights_only=True)
    assert state["progress"]["epoch"] == 41
    assert {row[0] for row in query(outputs / "mlflow.db", "select status from runs")} == {
        "FINISHED"
    }
    assert epochs(outputs) == (40, 40)
    assert query(outputs / "studies.db", "select state from trials") == [("COMPLETE",)]
