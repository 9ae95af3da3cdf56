"""A command that is forked behaves as one that starts from nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import warm_processes

APP = Path(__file__).parents[1] / "sweep_app.py"
SECONDS = 300

SCRIPT = """
import atexit, os, sys, threading, time

atexit.register(print, "at the end")
print(__name__, sys.argv[1:], sys.path[0], os.getcwd(), os.environ["OTHER"], sys.stdin.read())
print("an error", file=sys.stderr)
sys.stdout.reconfigure(errors="backslashreplace")
if sys.argv[1] == "wait":
    sys.stdout.flush()
    time.sleep(60)
if sys.argv[1] == "raise":
    raise ValueError("a bug")
if sys.argv[1] == "thread":
    threading.Timer(0.1, print, ["from a thread"]).start()
if sys.argv[1] == "text":
    sys.exit("the reason")
sys.exit(int(sys.argv[2]))
"""


@pytest.fixture
def start(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "folder").mkdir()

    def start(popen, *arguments, **options):
        return popen(
            [sys.executable, str(tmp_path / "script.py"), *arguments],
            cwd=tmp_path / "folder",
            env={**warm_processes.ENVIRONMENT, "OTHER": "ö"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    return start


@pytest.mark.parametrize(
    "arguments", [("code", "0"), ("code", "3"), ("thread", "0"), ("text", "0"), ("raise", "0")]
)
def test_streams_arguments_and_the_code_are_those_of_a_process_from_nothing(start, arguments):
    cold, warm = (
        start(popen, *arguments) for popen in (subprocess.Popen, warm_processes.popen)
    )
    assert isinstance(warm, warm_processes.WarmPopen)
    (output, errors), (warm_output, warm_errors) = cold.communicate(), warm.communicate()
    assert warm.returncode == cold.returncode
    assert warm_output == output
    assert warm_errors.splitlines()[0] == errors.splitlines()[0]
    assert warm_errors.splitlines()[-1] == errors.splitlines()[-1]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_signals_end_the_process_and_its_session(start, signum):
    process = start(warm_processes.popen, "wait", "0", start_new_session=True)
    with process:
        assert process.stdout.readline().startswith("__main__ ['wait', '0']")
        assert process.poll() is None
        os.killpg(process.pid, signum)
        assert process.wait(300) == -signum


def test_ctrl_c_is_an_exception_in_the_process(start):
    with start(warm_processes.popen, "wait", "0") as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=300)
    assert output == "at the end\n"
    assert errors.endswith("KeyboardInterrupt\n")
    assert process.returncode == -signal.SIGINT


def test_another_environment_for_imports_takes_a_process_from_nothing(tmp_path):
    (tmp_path / "script.py").write_text("print(__import__('sys').flags.utf8_mode)")
    environment = {**os.environ, "PYTHONUTF8": "1"}
    process = warm_processes.popen(
        [sys.executable, str(tmp_path / "script.py")],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert not isinstance(process, warm_processes.WarmPopen)
    assert process.communicate()[0] == "1\n"


def test_a_process_is_forked_although_tests_have_imported_sklearn(tmp_path):
    (tmp_path / "script.py").write_text("print(1)")
    code = (
        "import sklearn, os; print(*(f'{k}={v}' for k, v in os.environ.items() if 'KMP_' in k))"
    )
    command = [sys.executable, "-c", code]
    added = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert len(added) == 2
    process = warm_processes.popen(
        [sys.executable, str(tmp_path / "script.py")],
        env={**os.environ, **dict(one.split("=") for one in added)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert isinstance(process, warm_processes.WarmPopen)
    assert process.communicate()[0] == "1\n"


def test_forked_workers_are_children_of_their_sweep_and_end_with_it(tmp_path):
    search = ["-m", "x=interval(0.0,1.0)", "epochs=100000", "seconds=0.1"]
    search += ["hydra.sweeper.study_name=s", "hydra.sweeper.n_jobs=2"]
    process = warm_processes.popen(
        [sys.executable, str(APP), *search, "hydra.sweeper.n_trials=2"],
        cwd=tmp_path,
        env=warm_processes.ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        warm_workers=True,
    )
    with process:
        end = time.monotonic() + SECONDS
        while len(list(tmp_path.glob("outputs/sweeps/s/*/epochs.log"))) < 2:
            assert time.monotonic() < end
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        pids = [int(pid) for pid in children.split()]
        commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]
        # One is the process from which the two are forked, in the group of the sweep.
        workers = [pid for pid in pids if os.getpgid(pid) == pid]
        process.kill()
        process.communicate(timeout=SECONDS)  # reads until the workers have ended, too
    assert (len(pids), len(workers)) == (3, 2)
    assert not any("_worker" in command for command in commands), "they must be forked"
