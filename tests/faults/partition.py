"""Lost packets: nothing hangs, and no trial or epoch is lost or doubled.

    python -m faults.partition measure FOLDER
    python -m faults.partition sweep FOLDER FAULT [SECONDS]

The first prints how long a statement, a lock and a request take to fail after all packets of
their server have begun to be dropped. The second runs two sweepers on PostgreSQL while packets
are dropped for SECONDS (FAULT is `drop`), while 5 % of them are lost (`loss`), or delayed by
200 ms there and back (`delay`). Both need root, unshare and nft: they run in a network
namespace of their own, so that they disturb no other program.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from faults.fault_result import FaultResult

NUM_TRIALS, NUM_EPOCHS = 4, 30
INSIDE = "FRAMESWEEP_TEST_NAMESPACE"
GIVE_UP_SECONDS = 180
"""Seconds after which the sweeper gives a storage up."""
LONGEST_SECONDS = 1800.0


def is_possible() -> bool:
    """Return whether this process may create a network namespace and drop packets in it."""
    tools = all(map(shutil.which, ("unshare", "ip", "nft")))
    return os.geteuid() == 0 and tools and subprocess.call(["unshare", "-n", "true"]) == 0


def run_inside(*arguments: object) -> dict[str, Any]:
    """Run this module in a new network namespace, and return what it prints at its end."""
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-m", "faults.partition", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), INSIDE: "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=3600,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def run_partition(folder: Path, fault: str, seconds: int = 0) -> FaultResult:
    """Disturb a sweep, and count the trials that ended with each epoch exactly once."""
    what = {"drop": f"no packets for {seconds} s", "loss": "5 % of packets lost"}
    result = FaultResult(f"{what.get(fault, '200 ms of delay')}: trials")
    if not is_possible():
        result.note = "not tried: it needs root, unshare and nft"
        return result
    found = run_inside("sweep", folder, fault, seconds)
    for failure in found["failures"]:
        result.add(1, failure)
    result.add(NUM_TRIALS - len(found["failures"]))
    result.note = f"{found['seconds']:.0f} s, {found['starts']} start(s) of the sweepers"
    return result


def nft(*words: str) -> None:
    subprocess.run(["nft", *words], check=True)


@contextmanager
def dropping(port: int, share: str = "") -> Iterator[None]:
    """Drop the packets from and to a port; all of them, or those that `share` selects."""
    nft("add", "table", "inet", "faults")
    nft("add chain inet faults input { type filter hook input priority 0; }")
    for side in ("dport", "sport"):
        nft(f"add rule inet faults input tcp {side} {port} {share} drop")
    try:
        yield
    finally:
        nft("delete", "table", "inet", "faults")


@contextmanager
def dropping_all(*ports: int) -> Iterator[None]:
    """Drop all packets from and to several ports."""
    with dropping(ports[0]):
        for port in ports[1:]:
            for side in ("dport", "sport"):
                nft(f"add rule inet faults input tcp {side} {port} drop")
        yield


@contextmanager
def delaying(port: int, seconds: float = 0.1) -> Iterator[int]:
    """Yield the port of a proxy that delays what it forwards, in either direction."""
    loop = asyncio.new_event_loop()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await asyncio.sleep(seconds)
                writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, downstream = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(forward(reader, downstream), forward(upstream, writer))

    server = loop.run_until_complete(asyncio.start_server(accept, "127.0.0.1", 0))
    threading.Thread(target=loop.run_forever, daemon=True).start()
    yield server.sockets[0].getsockname()[1]
    loop.call_soon_threadsafe(loop.stop)


def measure(folder: Path) -> dict[str, float]:
    """Return the seconds after which a statement, a lock and a request fail."""
    from framesweep.tracking import mlflow_store
    from hydra_plugins.framesweep_sweeper.storage._lock import StorageLock
    from hydra_plugins.framesweep_sweeper.storage._storage import open_storage
    from servers import mlflow_server, postgres

    with postgres() as server, mlflow_server(folder, f"sqlite:///{folder}/m.db") as uri:
        storage: Any = open_storage(server.create("studies"), 60)
        tracked = mlflow_store.connect(server.create("mlflow"), folder)
        client = mlflow_store.connect(uri, folder)
        lock, waiting = (StorageLock(server.url("studies")) for _ in range(2))
        calls: dict[str, Callable[[], Any]] = {
            "statement": storage.inner.get_all_studies,
            "tracking database": lambda: tracked.get_experiment_by_name("x"),
            "lock": waiting._acquire,
            "request": lambda: client.get_experiment_by_name("x"),
        }
        for name in ("statement", "tracking database", "request"):
            calls[name]()
        with lock.hold():
            threads, seconds = [], dict.fromkeys(calls, float("inf"))
            for name, call in calls.items():
                arguments = (name, call, seconds)
                threads.append(threading.Thread(target=_time_failure, args=arguments))
            threads[2].start()  # it waits for the lock when the packets begin to be dropped
            time.sleep(2)
            with dropping_all(server.port, int(uri.rpartition(":")[2])):
                for thread in (*threads[:2], threads[3]):
                    thread.start()
                for thread in threads:
                    thread.join(100)
        return seconds


def _time_failure(name: str, call: Callable[[], Any], seconds: dict[str, float]) -> None:
    started = time.monotonic()
    try:
        call()
    except Exception:
        seconds[name] = time.monotonic() - started


def run_sweep(folder: Path, fault: str, seconds: int) -> dict[str, Any]:
    """Run two sweepers on PostgreSQL through a fault; return what went wrong with trials."""
    from e2e.conftest import Shell
    from servers import postgres
    from toy import ToyCorpus, write_hw1p2

    lengths = {"train": (300, 200, 400), "dev": (150, 100), "test": (80, 40)}
    shell = Shell(folder, write_hw1p2(folder / "corpus", ToyCorpus(lengths)))
    started, starts = time.monotonic(), 0
    with postgres() as server:
        urls = {name: server.create(name) for name in ("studies", "mlflow")}
        with _disturbed(fault, server.port) as port:
            there = {n: u.replace(f":{server.port}/", f":{port}/") for n, u in urls.items()}
            while _count_complete(urls["studies"]) < NUM_TRIALS:
                assert time.monotonic() - started < LONGEST_SECONDS + seconds, "it hangs"
                starts += 1
                sweepers = [_start(shell, there, number) for number in range(2)]
                if fault == "drop" and starts == 1:
                    _wait_for_epochs(urls["studies"], started)
                    with dropping(server.port):
                        time.sleep(seconds)
                for sweeper in sweepers:
                    sweeper.wait(LONGEST_SECONDS)
        failures = _find_failures(urls["studies"], urls["mlflow"])
    return {"failures": failures, "seconds": time.monotonic() - started, "starts": starts}


@contextmanager
def _disturbed(fault: str, port: int) -> Iterator[int]:
    if fault == "delay":
        with delaying(port) as proxy:
            yield proxy
    elif fault == "loss":
        with dropping(port, "numgen random mod 100 < 5"):
            yield port
    else:
        yield port


def _start(shell: Any, urls: dict[str, str], number: int) -> subprocess.Popen[str]:
    small = [a for a in shell.small if not a.startswith("train.epochs")]
    command = [
        *["-m", "sweep=bare", *small, f"train.epochs={NUM_EPOCHS}", "train.smooth=false"],
        *[f"hydra.sweeper.storage={urls['studies']}", f"tracking.uri={urls['mlflow']}"],
        *["hydra.sweeper.study_name=s", f"hydra.sweeper.n_trials={NUM_TRIALS}"],
        *["hydra/sweeper/pruner=none", "model.dropout=interval(0.0,0.5)"],
        *["hydra.sweeper.heartbeat=10", "hydra.sweeper.repeat_duplicates=true"],
    ]
    log = (shell.folder / f"sweeper-{number}.log").open("a")
    process: subprocess.Popen[str] = shell.start(*command, stdout=log, stderr=log)
    return process


def _load_trials(url: str) -> list[Any]:
    import optuna

    try:
        return optuna.load_study(study_name="s", storage=url).trials
    except Exception:
        return []  # it has not been created yet


def _count_complete(url: str) -> int:
    return sum(trial.state.name == "COMPLETE" for trial in _load_trials(url))


def _wait_for_epochs(url: str, started: float) -> None:
    while not any(len(trial.intermediate_values) > 2 for trial in _load_trials(url)):
        assert time.monotonic() - started < LONGEST_SECONDS
        time.sleep(0.2)


def _find_failures(studies: str, tracking: str) -> list[str]:
    import sqlalchemy

    query = (
        "SELECT r.status, t.value, count(m.step), count(DISTINCT m.step) FROM runs r "
        "JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = 'trial' LEFT JOIN metrics m "
        "ON m.run_uuid = r.run_uuid AND m.key = 'dev/loss' GROUP BY r.run_uuid, t.value"
    )
    with sqlalchemy.create_engine(tracking).connect() as connection:
        runs = [tuple(row) for row in connection.execute(sqlalchemy.text(query))]
    failures = []
    trials = _load_trials(studies)
    for trial in trials:
        found = [run for run in runs if run[1] == str(trial.number)]
        steps = list(trial.intermediate_values)
        expected = ("FINISHED", str(trial.number), NUM_EPOCHS, NUM_EPOCHS)
        if steps != list(range(1, NUM_EPOCHS + 1)) or found != [expected]:
            failures.append(f"trial {trial.number} {trial.state.name}: {found}, {len(steps)}")
    return failures


def main() -> None:
    if INSIDE not in os.environ:
        print(json.dumps(run_inside(*sys.argv[1:])))
        return
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    if sys.argv[1] == "measure":
        print(json.dumps(measure(folder)))
    else:
        seconds = int(sys.argv[4]) if len(sys.argv) > 4 else 0
        print(json.dumps(run_sweep(folder, sys.argv[3], seconds)))


if __name__ == "__main__":
    main()
