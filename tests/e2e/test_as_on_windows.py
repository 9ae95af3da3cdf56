"""What a user does first works without anything that only POSIX systems have.

`as_on_windows/sitecustomize.py` hides it, in every process that is started here.
"""

import csv
import json
import os
import random
import signal
import socket
import subprocess
import sys
import urllib.request
import wave
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy
TESTS = Path(__file__).parents[1]
TRAIN = TESTS.parent / "train.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("as on windows")


def start(folder: Path, *command: str) -> "subprocess.Popen[str]":
    environment = {
        **os.environ,
        "PYTHONPATH": str(TESTS / "as_on_windows"),
        "PATH": os.pathsep.join((str(TESTS / "as_on_windows" / "bin"), os.environ["PATH"])),
        "FRAMESWEEP_OUTPUTS": str(folder / "outputs"),
    }
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder: Path, *command: str) -> str:
    process = start(folder, *command)
    output = process.communicate()[0]
    assert process.returncode == 0, output
    return output


def framesweep(folder: Path, *arguments: str) -> str:
    return run(
        folder, sys.executable, "-c", "from framesweep.cli import main; main()", *arguments
    )


def require_ui_to_show(folder: Path, directory: Path) -> None:
    """Start the UI, look up the run in it, and stop it, and all that it started, by Ctrl-C."""
    port = find_free_port()
    arguments = ["from framesweep.cli import main; main()", "ui", "--port", str(port)]
    process = start(folder, sys.executable, "-c", *arguments)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith(f"MLflow UI: http://127.0.0.1:{port}"), line
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/2.0/mlflow/runs/search",
            data=json.dumps({"experiment_ids": ["1"]}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            runs = json.load(answer)["runs"]
        assert str(directory) in {tag["value"] for run in runs for tag in run["data"]["tags"]}
    finally:
        process.send_signal(signal.SIGINT)
        rest = process.communicate()[0]
    assert rest == ""
    assert process.returncode == 0
    with socket.socket() as probe:  # the server's children would still listen
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def write_noise(path: Path) -> None:
    """Write one second of noise."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(random.Random(0).randbytes(2 * 16_000))


SETTINGS = ("model.widths=[16]", "data.context=2", "hardware.threads=1")


def test_names_are_hidden_from_framesweep_alone(folder) -> None:
    script = (
        "import os, signal; from framesweep.system import processes, signals, cgroups;"
        "from hydra_plugins.framesweep_sweeper.workers import _local_pool as pool;"
        "print(hasattr(os, 'fork'), hasattr(signal, 'SIGKILL'), hasattr(pool.os, 'fork'),"
        "hasattr(processes.signal, 'SIGKILL'), signals.REQUEUE)"
    )
    assert (
        run(folder, sys.executable, "-c", script).split()
        == "True True False False None".split()
    )


def test_what_windows_refuses_is_refused(folder) -> None:
    # The names under which modules are loaded make them ours.
    script = (
        "import sys; from pathlib import Path\n"
        "exec(compile(Path(sys.argv[1]).read_text(), 'x', 'exec'),"
        " {'__name__': 'framesweep.x', '__builtins__': __builtins__})"
    )
    ours = folder / "ours.py"
    ours.write_text(
        "import subprocess, sys\n"
        "from pathlib import Path\n"
        "Path('opened').touch(); Path('new').touch()\n"
        "def attempt(function, *arguments, **options):\n"
        "    try:\n"
        "        function(*arguments, **options)\n"
        "    except (OSError, ValueError) as error:\n"
        "        print(type(error).__name__)\n"
        "with open('opened') as file:\n"
        "    attempt(Path('new').replace, 'opened')\n"
        "attempt(Path('link').symlink_to, 'new')\n"
        "attempt(subprocess.Popen, [sys.executable, '-c', ''], pass_fds=(0,))\n"
        "attempt(Path('/proc/self/maps').read_text)\n"
        "Path('new').replace('opened')\n"
    )
    refused = run(folder, sys.executable, "-c", script, str(ours)).split()
    assert refused == ["PermissionError", "OSError", "ValueError", "FileNotFoundError"]


def test_a_run_is_stopped_resumed_and_used(folder) -> None:
    directory = folder / "outputs" / "one"
    command = [sys.executable, str(TRAIN), "data=demo", *SETTINGS, f"hydra.run.dir={directory}"]
    process = start(folder, *command, "train.epochs=100000")
    assert process.stdout is not None
    output = ""
    for line in process.stdout:
        output += line
        if line.startswith("epoch 1/"):
            process.send_signal(signal.SIGINT)
            break
    output += process.communicate()[0]
    assert process.returncode == 130, output
    resumed = run(
        folder, sys.executable, str(TRAIN), f"resume={directory}", "train.max_minutes=0.001"
    )
    assert "best dev/accuracy" in resumed
    predicted = folder / "predicted.csv"
    framesweep(folder, "predict", str(directory), "--split", "dev", "--out", str(predicted))
    with predicted.open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) > 100
    write_noise(folder / "noise.wav")
    out = str(folder / "labels")
    framesweep(folder, "label", str(directory), str(folder / "noise.wav"), "--out", out)
    assert [path.stem for path in (folder / "labels").iterdir()] == ["noise"]
    require_ui_to_show(folder, directory)


def test_a_search_uses_two_workers(folder) -> None:
    output = run(
        folder,
        *(sys.executable, str(TRAIN), "-m", "data=demo", *SETTINGS, "train.epochs=1"),
        *("sweep=bare", "hydra.sweeper.study_name=two", "hydra.sweeper.n_trials=2"),
        *("hydra.sweeper.n_jobs=2", "optim.lr=tag(log,interval(1e-4,1e-2))"),
    )
    for number in range(2):
        trial = folder / "outputs" / "sweeps" / "two" / str(number)
        assert (trial / "checkpoints" / "best.safetensors").exists(), output
