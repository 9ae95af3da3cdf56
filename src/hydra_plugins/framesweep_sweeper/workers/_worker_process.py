"""What all local worker processes have in common: the connection on which jobs travel."""

import contextlib
import pickle
import sys
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from subprocess import Popen
from typing import Any

import cloudpickle
from hydra.core.singleton import Singleton
from hydra.types import HydraContext

CLOSE_SECONDS = 10.0
"""Seconds that an idle worker is given to end by itself."""


class WorkerProcess:
    """A worker process and the connection to it.

    Attributes:
        connection: The sweeper's end; it has a message once a job has ended.
        process: The process, as the class that started it knows it.
    """

    connection: Connection
    process: Popen[bytes] | BaseProcess

    def set_up(self, hydra_context: HydraContext, task: Any) -> None:
        """Send what the process needs before its first job."""
        # In two messages: the second can only be unpickled with the first one's sys.path.
        self.send(pickle.dumps((sys.path, sys.argv)))
        self.send(cloudpickle.dumps((hydra_context, task, Singleton.get_state())))

    def send(self, message: bytes) -> None:
        """Send a message. If the worker has died, the pool finds out when it waits for it."""
        with contextlib.suppress(OSError):
            self.connection.send_bytes(message)

    def kill(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
