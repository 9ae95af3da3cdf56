"""The scene of a soak test: servers, a small disk, and commands that are started again."""

import contextlib
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from e2e.conftest import Shell
from framesweep.sweeps.study_files import WRITTEN_AGAIN
from servers import Postgres, free_port, mlflow_server

DISK_SIZE = "768m"
KILLED = -9


class Victim:
    """A command that is started again until it ends by itself with exit code 0.

    Args:
        shell: where the command runs.
        name: the name of its log.
        command: returns the arguments, with which it is started or resumed.

    Attributes:
        ends: how often it ended with each exit code.
    """

    def __init__(self, shell: Shell, name: str, command: Callable[[], list[str]]) -> None:
        self.name = name
        self.log = shell.folder / f"{name}.log"
        self.ends: Counter[int] = Counter()
        self.is_done = False
        self._shell = shell
        self._command = command
        self.process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process, or None if none runs."""
        if self.process is None or self.process.poll() is not None:
            return None
        return self.process.pid

    def tend(self) -> None:
        """Start the command, or start it again if it was killed or ended with an error."""
        if self.is_done or self.pid is not None:
            return
        if self.process is not None:
            self.ends[self.process.returncode] += 1
            if self.process.returncode == 0:
                self.is_done = True
                return
        with self.log.open("a") as console:
            self.process = self._shell.start(*self._command(), stdout=console, stderr=console)

    def repeat_if_advised(self) -> None:
        """Run the command once more if it said that this writes what has found no space."""
        if self.log.exists() and WRITTEN_AGAIN in self.log.read_text(errors="replace"):
            self._shell.train(*self._command())

    def find_failure(self) -> str:
        """Return what a user should never see of this command; empty if there is nothing."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        if "Traceback" in text:
            start = text.index("Traceback")
            return f"{self.name}: {text[start : start + 2000]}"
        errors = sum(line.startswith("error:") for line in text.splitlines())
        ended = sum(number for code, number in self.ends.items() if code not in (0, KILLED))
        if ended > errors:
            return f"{self.name}: ended {dict(self.ends)} with {errors} error lines"
        return ""


class TrackingServer:
    """An MLflow server that can be killed and started again at the same port."""

    def __init__(self, folder: Path, backend: str) -> None:
        self.folder, self.port = folder, free_port()
        self._backend = backend
        self._running = contextlib.ExitStack()
        self.start()

    @property
    def uri(self) -> str:
        """The tracking URI of its clients."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self._running.enter_context(mlflow_server(self.folder, self._backend, self.port))

    def kill(self) -> None:
        """Kill the server and its workers."""
        self._running.close()


class Scene:
    """Servers and a disk, which the storm disturbs, and the commands that run on them.

    Attributes:
        shell: runs commands whose outputs are on the disk.
        victims: what runs at the moment.
        is_isolated: whether the disk and the network are the scene's own, so that one can be
            filled and the other cut.
    """

    def __init__(
        self, shell: Shell, postgres: Postgres, server: TrackingServer, *, is_isolated: bool
    ) -> None:
        self.shell, self.postgres, self.server = shell, postgres, server
        self.disk = shell.folder / "outputs"
        self.is_isolated = is_isolated
        self.victims: list[Victim] = []

    def tend(self) -> None:
        """Start each victim that is neither running nor done."""
        for victim in self.victims:
            victim.tend()

    @property
    def is_done(self) -> bool:
        """Whether every victim has ended by itself."""
        return all(victim.is_done for victim in self.victims)


@contextlib.contextmanager
def open_scene(folder: Path, corpus: Path, *, is_isolated: bool) -> Iterator[Scene]:
    """Yield a scene with running servers; its processes end with it."""
    shell = Shell(folder, corpus)
    disk = folder / "outputs"
    disk.mkdir(parents=True)
    if is_isolated:
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", str(disk)]
        subprocess.run(command, check=True)
    postgres = Postgres()
    scene = None
    try:
        postgres.start()
        server = TrackingServer(folder / "server", postgres.create("mlflow"))
        postgres.create("studies")
        scene = Scene(shell, postgres, server, is_isolated=is_isolated)
        yield scene
    finally:
        if scene is not None:
            for victim in scene.victims:
                if victim.pid is not None:
                    assert victim.process is not None
                    victim.process.kill()
            scene.server.kill()
        postgres.close()
