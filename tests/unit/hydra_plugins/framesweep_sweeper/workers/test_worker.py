import contextlib
import os
import pickle
import signal
import struct
import subprocess
import sys
from multiprocessing import connection

import cloudpickle
import pytest
from hydra.core.singleton import Singleton

from hydra_plugins.framesweep_sweeper.workers._local_pool import WORKER_MODULE
from hydra_plugins.framesweep_sweeper.workers._worker import _redirect_output


@pytest.fixture
def start():
    """Return a function that starts a worker for a parent; it returns process and pipe ends."""
    with contextlib.ExitStack() as stack:

        def start(parent):
            ours, theirs = connection.Pipe()
            lifeline, our_end = os.pipe()
            arguments = [str(theirs.fileno()), str(lifeline), str(parent)]
            process = subprocess.Popen(
                [sys.executable, "-m", WORKER_MODULE, *arguments],
                pass_fds=(theirs.fileno(), lifeline),
            )
            stack.callback(process.kill)
            theirs.close()
            os.close(lifeline)
            return process, ours, our_end

        yield start


def send_setup(pipe):
    pipe.send_bytes(pickle.dumps((sys.path, sys.argv)))
    pipe.send_bytes(cloudpickle.dumps((None, None, Singleton.get_state())))


def test_an_idle_worker_ends_when_the_sweeper_closes_the_connection(start):
    process, pipe, lifeline = start(os.getpid())
    send_setup(pipe)
    pipe.close()
    assert process.wait(60) == 0
    os.close(lifeline)


def send_slowly(pipe, between):
    """Send the setup, and call `between` when the worker is reading the first part of it.

    That part does not fit into the buffers of the connection, so that the worker has begun to
    serve when all but its last byte has been written.
    """
    message = pickle.dumps((sys.path, [*sys.argv, "x" * 2**22]))
    os.write(pipe.fileno(), struct.pack("!i", len(message)) + message[:-1])
    between()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        os.write(pipe.fileno(), message[-1:])
        pipe.send_bytes(cloudpickle.dumps((None, None, Singleton.get_state())))


def test_ctrl_c_ends_an_idle_worker_without_a_traceback(start, capfd):
    process, pipe, lifeline = start(os.getpid())
    send_slowly(pipe, lambda: process.send_signal(signal.SIGINT))
    assert process.wait(60) == -signal.SIGINT
    assert capfd.readouterr().err == ""
    pipe.close()
    os.close(lifeline)


def test_a_worker_in_the_background_ignores_ctrl_c_as_its_sweeper_does(start):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process, pipe, lifeline = start(os.getpid())
    finally:
        signal.signal(signal.SIGINT, before)
    send_slowly(pipe, lambda: process.send_signal(signal.SIGINT))
    pipe.close()
    assert process.wait(60) == 0
    os.close(lifeline)


def test_a_worker_ends_when_the_lifeline_breaks(start, capfd):
    process, pipe, lifeline = start(os.getpid())
    send_setup(pipe)
    os.close(lifeline)
    assert process.wait(60) == 1
    assert capfd.readouterr().err == ""
    pipe.close()


@pytest.mark.skipif(sys.platform != "linux", reason="uses a signal that only Linux has")
def test_a_worker_whose_sweeper_died_while_it_started_ends(start, capfd):
    process, pipe, lifeline = start(parent=1)
    assert process.wait(60) == 1
    assert capfd.readouterr().err == ""
    pipe.close()
    os.close(lifeline)


def test_output_of_any_library_is_appended_to_the_file_and_then_restored(tmp_path, capfd):
    path = tmp_path / "0" / "console.log"
    for line in (b"one\n", b"two\n"):
        with _redirect_output(path):
            os.write(1, line)
            os.write(2, b"error\n")
    os.write(1, b"after\n")
    assert path.read_text() == "one\nerror\ntwo\nerror\n"
    assert capfd.readouterr().out == "after\n"
