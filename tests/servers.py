"""Real servers for tests: on the loopback interface, in temporary folders."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy

START_SECONDS = 900
PAUSE = 0.1
PR_SET_PDEATHSIG = 1
PASSWORD = "s3cret-pass"
"""The password of the database's user, which must not appear in the output of any test."""

SETTINGS = {
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "max_connections": 200,
    "shared_buffers": "32MB",
}


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(ready: Callable[[], bool], process: subprocess.Popen, log: Path) -> None:
    """Wait until a server that has just been started is ready."""
    end = time.monotonic() + START_SECONDS
    while not ready():
        assert process.poll() is None, f"{process.args!r} ended:\n{log.read_text()}"
        assert time.monotonic() < end, f"{process.args!r} is not ready:\n{log.read_text()}"
        time.sleep(PAUSE)


def start_daemon(
    command: list[str], log: Path, user: str | None = None, **options: Any
) -> subprocess.Popen:
    """Start a server that ends with this process, even if this process is killed."""

    def end_with_parent() -> None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)

    with log.open("ab") as file:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509
            **as_user(user),
            **options,
        )


def as_user(name: str | None) -> dict[str, Any]:
    """Return the options of Popen for another user; none unless we are root."""
    if name is None or os.geteuid() != 0:
        return {}
    return {"user": name, "group": name, "extra_groups": []}


class Postgres:
    """A PostgreSQL server; if we are root, it runs as the user that Debian has for it.

    Args:
        **settings: entries of postgresql.conf, in addition to those for a fast server.
    """

    user = "postgres"

    def __init__(self, **settings: object) -> None:
        self.port = free_port()
        self._settings = {**SETTINGS, "port": self.port, **settings}
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._data, self.log = self._folder / "data", self._folder / "log"
        self._process: subprocess.Popen | None = None
        password = self._folder / "password"
        password.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (self._folder, password):
                shutil.chown(path, self.user, self.user)
        command = [postgres_program("initdb"), "--pgdata", str(self._data), "--no-sync"]
        command += ["--username=tester", "--auth=scram-sha-256", f"--pwfile={password}"]
        subprocess.run(
            [*command, "--encoding=UTF8", "--locale=C.UTF-8"],
            check=True,
            capture_output=True,
            cwd=self._folder,
            **as_user(self.user),
        )

    def start(self) -> None:
        """Start the server at the same port as before, and wait until it is ready."""
        command = [postgres_program("postgres"), "-D", str(self._data)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        process = start_daemon(command, self.log, self.user, cwd=self._folder)
        self._process = process
        wait_until(self._is_ready, process, self.log)

    @property
    def is_running(self) -> bool:
        """Whether it was started, and not stopped since."""
        return self._process is not None

    def stop(self, signum: int = signal.SIGINT) -> None:
        """End all sessions; with SIGQUIT as in a crash, without a checkpoint."""
        if self._process is not None:
            self._process.send_signal(signum)
            self._process.wait(START_SECONDS)
            self._process = None

    def close(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder)

    def url(self, database: str = "postgres", password: str = PASSWORD) -> str:
        return f"postgresql+psycopg://tester:{password}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Create an empty database and return its URL."""
        self.query(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def query(self, statement: str, database: str = "postgres") -> list[tuple]:
        """Return the rows of one statement, which runs in a session of its own."""
        engine = sqlalchemy.create_engine(
            self.url(database), isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool
        )
        with engine.connect() as connection:
            result = connection.execute(sqlalchemy.text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []

    def _is_ready(self) -> bool:
        try:
            self.query("SELECT 1")
        except sqlalchemy.exc.OperationalError:
            return False
        return True


def postgres_program(name: str) -> str:
    """Return the path of a program of the newest PostgreSQL, which may not be on the PATH."""
    found = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[-3])
    )
    path = shutil.which(name) or (str(found[-1]) if found else None)
    assert path, f"{name} is not installed; .ci/packages installs it"
    return path


@contextlib.contextmanager
def postgres(**settings: object) -> Iterator[Postgres]:
    """Yield a running server."""
    server = Postgres(**settings)
    try:
        server.start()
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def mlflow_server(folder: Path, backend: str, port: int | None = None) -> Iterator[str]:
    """Yield the URL of an `mlflow server` with runs in `backend` and artifacts in `folder`."""
    uri = f"http://127.0.0.1:{port or free_port()}"
    log = folder / "mlflow-server.log"
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", backend]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", uri.rpartition(":")[2]]
    environment = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    process = start_daemon(command, log, env=environment)
    try:
        wait_until(lambda: _answers(f"{uri}/health"), process, log)
        yield uri
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
