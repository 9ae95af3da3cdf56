"""The faults of a soak test, each of which begins and is healed again."""

import contextlib
import errno
import random
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path

from faults.partition import dropping_all
from faults.soak.scene import Scene, Victim
from processes import process_tree, send_signal

Heal = Callable[[], None]
"""What ends a fault."""

REFUSAL = "is being trained by"


class NotPossible(Exception):  # noqa: N818 - nothing is wrong
    """There is nothing at the moment that the fault could happen to."""


class Storm:
    """Faults, each of which begins when it is called and ends with what it returns.

    Args:
        scene: what is disturbed.
        rng: chooses the process or file.

    Attributes:
        faults: the faults by name.
        num_corrupted_outboxes: how many outboxes have a damaged line.
        failures: what went wrong while a fault lasted.
    """

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        self.scene, self.rng = scene, rng
        self.num_corrupted_outboxes = 0
        self.failures: list[str] = []
        self._corrupted: set[Path] = set()
        self.faults: dict[str, Callable[[], Heal]] = {
            "kill -9 of a worker": self.kill_worker,
            "kill -9 of a sweeper": self.kill_sweeper,
            "kill -9 of a sweeper and its workers": self.kill_tree,
            "kill -9 of a run": self.kill_run,
            "suspension of a sweeper and its workers": self.suspend_tree,
            "suspension of a worker": self.suspend_worker,
            "suspension of a run, resumed by another process": self.suspend_run,
            "restart of PostgreSQL": self.restart_postgres,
            "crash of PostgreSQL": self.crash_postgres,
            "restart of the MLflow server": self.restart_server,
            "damaged checkpoint": self.damage_checkpoint,
            "damaged line of an outbox": self.damage_outbox,
            "network partition": self.cut_network,
            "full disk": self.fill_disk,
        }

    def kill_worker(self) -> Heal:
        send_signal([self.rng.choice(self._workers())], signal.SIGKILL)
        return _nothing

    def kill_sweeper(self) -> Heal:
        send_signal([self._pid("sweeper")], signal.SIGKILL)
        return _nothing

    def kill_tree(self) -> Heal:
        send_signal(process_tree(self._pid("sweeper")), signal.SIGKILL)
        return _nothing

    def kill_run(self) -> Heal:
        send_signal([self._pid("run")], signal.SIGKILL)
        return _nothing

    def suspend_tree(self) -> Heal:
        return self._suspend(process_tree(self._pid("sweeper")))

    def suspend_worker(self) -> Heal:
        return self._suspend([self.rng.choice(self._workers())])

    def suspend_run(self) -> Heal:
        """Suspend the run, and try to resume it: another process must be refused."""
        victim = self._victim("run")
        directory = self.scene.disk / "runs" / "soak" / victim.name
        pid = self._pid("run")
        if not (directory / ".owner").exists():
            raise NotPossible
        wake = self._suspend([pid])
        if not (directory / ".owner").exists():  # it ended before the signal arrived
            return wake
        log = self.scene.shell.folder / "second.log"
        with log.open("w") as console:
            second = self.scene.shell.start(
                f"resume={directory}", stdout=console, stderr=console
            )
            code = second.wait(300)
        text = log.read_text()
        if code != 2 or not (REFUSAL in text or "does not respond" in text):
            self.failures.append(f"a second resume was not refused: {code} {text[-500:]}")
        return wake

    def restart_postgres(self) -> Heal:
        return self._stop_postgres(signal.SIGINT)

    def crash_postgres(self) -> Heal:
        return self._stop_postgres(signal.SIGQUIT)

    def _stop_postgres(self, signum: int) -> Heal:
        if not self.scene.postgres.is_running:
            raise NotPossible
        self.scene.postgres.stop(signum)
        return self.scene.postgres.start

    def restart_server(self) -> Heal:
        self.scene.server.kill()
        return self.scene.server.start

    def cut_network(self) -> Heal:
        self._require_isolation()
        stack = contextlib.ExitStack()
        stack.enter_context(dropping_all(self.scene.postgres.port, self.scene.server.port))
        return stack.close

    def fill_disk(self) -> Heal:
        self._require_isolation()
        filler = self.scene.disk / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(65536))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        return filler.unlink

    def damage_checkpoint(self) -> Heal:
        """Flip a bit of a checkpoint of a trial and of a run, once in each directory."""
        self._kill_all()
        damaged = self._damage("checkpoints/last.pt", self._is_replaceable)
        self._corrupted.update(path.parent for path in damaged)
        return _nothing

    def damage_outbox(self) -> Heal:
        """Flip a bit in a waiting record of a trial, and in one of a run."""
        self._kill_all()
        damaged = self._damage("tracking/outbox.jsonl", lambda path: path.stat().st_size > 0)
        self.num_corrupted_outboxes += len(damaged)
        return _nothing

    def _is_replaceable(self, checkpoint: Path) -> bool:
        folder = checkpoint.parent
        return folder not in self._corrupted and _is_intact(folder)

    def _damage(self, pattern: str, may_be_damaged: Callable[[Path], bool]) -> list[Path]:
        """Flip a bit of a file of a trial and of a run that were killed and will be resumed."""
        damaged = []
        for kind in ("sweeps", "runs"):
            found = sorted((self.scene.disk / kind).rglob(pattern))
            self.rng.shuffle(found)
            for path in found:
                if (path.parents[1] / ".owner").exists() and may_be_damaged(path):
                    _flip_bit(path, self.rng)
                    damaged.append(path)
                    break
        if not damaged:
            raise NotPossible
        return damaged

    def _require_isolation(self) -> None:
        if not self.scene.is_isolated:
            raise NotPossible

    def _kill_all(self) -> None:
        for victim in self.scene.victims:
            if victim.pid is not None:
                send_signal(process_tree(victim.pid), signal.SIGKILL)

    def _suspend(self, pids: list[int]) -> Heal:
        send_signal(pids, signal.SIGSTOP)
        return lambda: send_signal(pids, signal.SIGCONT)

    def _victim(self, kind: str) -> Victim:
        found = [v for v in self.scene.victims if v.name.startswith(kind) and v.pid is not None]
        if not found:
            raise NotPossible
        return self.rng.choice(found)

    def _pid(self, kind: str) -> int:
        pid = self._victim(kind).pid
        if pid is None:
            raise NotPossible
        return pid

    def _workers(self) -> list[int]:
        workers = process_tree(self._pid("sweeper"))[1:]
        if not workers:
            raise NotPossible
        return workers


def _is_intact(folder: Path) -> bool:
    """Return whether both checkpoints are undamaged, so that one of them can be lost."""
    try:
        for name in ("last.pt", "previous.pt"):
            with zipfile.ZipFile(folder / name) as archive:
                if archive.testzip() is not None:
                    return False
    except (OSError, zipfile.BadZipFile):
        return False
    return True


def _flip_bit(path: Path, rng: random.Random) -> None:
    """Flip a bit in the place, as a disk does."""
    with path.open("r+b") as file:
        place = rng.randrange(path.stat().st_size)
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ (1 << rng.randrange(8))]))


def _nothing() -> None:
    """Heal what needs no healing: what was killed is started again anyway."""
