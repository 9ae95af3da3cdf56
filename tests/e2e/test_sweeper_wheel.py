"""The sweeper as a wheel of its own, in an environment without framesweep, torch and MLflow."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
PROJECT = REPOSITORY / "src" / "hydra_plugins"
APP = REPOSITORY / "tests" / "sweep_app.py"
README = (PROJECT / "README.md").read_text()
SECONDS = 600
READ_TRIALS = """
import json, sys, optuna
study = optuna.load_study(study_name=sys.argv[1], storage="sqlite:///outputs/studies.db")
print(json.dumps([[t.state.name, t.value, t.params] for t in study.trials]))
"""
LIST_SWEEPERS = """
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
found = Plugins.instance().discover(Sweeper)
print([c.__module__ for c in found if c.__name__ == "FramesweepSweeper"])
"""


def read_project(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


def test_requirements_are_the_same_as_framesweeps():
    ours, theirs = read_project(PROJECT), read_project(REPOSITORY)
    assert set(ours["dependencies"]) <= set(theirs["dependencies"])
    for extra, requirements in ours["optional-dependencies"].items():
        assert requirements == theirs["optional-dependencies"][extra]


def test_the_license_is_the_same_as_framesweeps():
    assert (PROJECT / "LICENSE").read_text() == (REPOSITORY / "LICENSE").read_text()


def build(source, out, *targets):
    options = [option for target in targets for option in ("--target", target)]
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(out), *options]
    subprocess.run(command, cwd=source, check=True, capture_output=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A wheel, and a wheel that was built from a source distribution, each in a folder."""
    folder = tmp_path_factory.mktemp("built")
    build(PROJECT, folder / "source", "sdist")
    (sdist,) = (folder / "source").glob("*.tar.gz")
    subprocess.run(["tar", "xzf", sdist, "-C", folder], check=True)
    (unpacked,) = folder.glob("hydra_framesweep_sweeper-*")
    build(unpacked, folder / "from_sdist", "wheel")
    build(PROJECT, folder / "wheel", "wheel")
    return [next((folder / name).glob("*.whl")) for name in ("wheel", "from_sdist")]


def test_the_wheel_has_the_plugin_and_nothing_else(built):
    first, second = (sorted(zipfile.ZipFile(wheel).namelist()) for wheel in built)
    assert first == second
    files = {name for name in first if ".dist-info/" not in name}
    package = PROJECT / "framesweep_sweeper"
    expected = {*package.rglob("*.py"), package / "py.typed"}
    assert files == {f"hydra_plugins/{path.relative_to(PROJECT)}" for path in expected}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in first)


def test_both_wheels_together_are_one_plugin(built, tmp_path):
    build(REPOSITORY, tmp_path, "wheel")
    (framesweep,) = tmp_path.glob("framesweep-*.whl")
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site]
    for wheel in (framesweep, built[0]):
        subprocess.run([*pip, "--upgrade", wheel], check=True)
    assert not list(site.glob("hydra_plugins/*.*"))
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIST_SWEEPERS],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "['hydra_plugins.framesweep_sweeper.sweeper']\n"
    assert found.stderr == ""


class Environment:
    """A virtual environment with the wheel, its extra for joblib, and what they require."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        venv.create(folder, with_pip=True)
        self.python = folder / "bin" / "python"
        constraints = REPOSITORY / "constraints.txt"
        install = ["-m", "pip", "install", "--quiet", "--constraint", str(constraints)]
        subprocess.run([self.python, *install, f"{wheel}[joblib]"], check=True)

    def start(self, folder: Path, *arguments: str) -> subprocess.Popen[str]:
        """`python ...`, running in a process group of its own."""
        names = ("PYTHONPATH", "FRAMESWEEP_OUTPUTS")
        return subprocess.Popen(
            [self.python, *arguments],
            cwd=folder,
            env={key: value for key, value in os.environ.items() if key not in names},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, folder: Path, *arguments: str) -> str:
        """`python ...`, ended without an error; return what it printed."""
        process = self.start(folder, *arguments)
        output, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, output
        return output

    def read_trials(self, folder: Path, study: str) -> list[tuple[str, float, dict]]:
        """State, value and parameters of each trial."""
        return yaml.safe_load(self.run(folder, "-c", READ_TRIALS, study))


@pytest.fixture(scope="module")
def environment(built, tmp_path_factory):
    return Environment(tmp_path_factory.mktemp("environment"), built[0])


def count_lines(folder, name):
    """The number of lines in the file of this name of each trial, by number."""
    paths = folder.glob(f"outputs/sweeps/s/*/{name}")
    return {int(path.parent.name): len(path.read_text().splitlines()) for path in paths}


SEARCH = [
    str(APP),
    "--multirun",
    "hydra.sweeper.study_name=s",
    "hydra.sweeper.n_trials=8",
    "hydra.sweeper.n_jobs=2",
    "x=interval(0.0,1.0)",
    "epochs=4",
    "seconds=0.1",
]


@pytest.mark.heavy
def test_torch_mlflow_and_framesweep_are_absent(environment, tmp_path):
    code = (
        "import importlib.util as u\n"
        "print([n for n in ('torch', 'mlflow', 'numba', 'framesweep') if u.find_spec(n)])"
    )
    assert environment.run(tmp_path, "-c", code) == "[]\n"


@pytest.mark.heavy
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_search_that_was_killed_is_resumed_without_repeating_trials(
    environment, tmp_path, launcher
):
    search = [*SEARCH, f"hydra/launcher={launcher}"]
    process = environment.start(tmp_path, *search)
    end = time.monotonic() + SECONDS
    # With two jobs at a time, the fourth starts once two trials are finished.
    while len(count_lines(tmp_path, "starts.log")) < 4:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    trials = environment.read_trials(tmp_path, "s")
    finished = [n for n, trial in enumerate(trials) if trial[0] in ("COMPLETE", "PRUNED")]
    starts = count_lines(tmp_path, "starts.log")
    assert finished
    assert len(finished) < 8

    output = environment.run(tmp_path, *search)
    assert "Traceback" not in output
    assert "8 trials are done" in output
    trials = environment.read_trials(tmp_path, "s")
    assert len(trials) == 8
    assert {trial[0] for trial in trials} <= {"COMPLETE", "PRUNED"}
    after = count_lines(tmp_path, "starts.log")
    assert {n: after[n] for n in finished} == {n: starts[n] for n in finished}
    assert all(count >= 1 for count in after.values())
    assert sorted(after) == list(range(8))


@pytest.mark.heavy
def test_the_readmes_example_does_what_the_readme_says(environment, tmp_path):
    for text in re.findall(r"```(?:python|yaml)\n(.*?)```", README, re.DOTALL):
        name = text.splitlines()[0].removeprefix("# ")
        (tmp_path / name).write_text(text)
    (block,) = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    commands = [shlex.split(line) for line in block.splitlines()]
    assert [command[0] for command in commands] == ["python"] * 3
    # A seed, because a search may by chance have no trial that is worth pruning.
    seed = "hydra.sweeper.sampler.seed=1"
    outputs = [environment.run(tmp_path, *command[1:], seed) for command in commands]
    assert all("Traceback" not in output for output in outputs)

    trials = environment.read_trials(tmp_path, "momentum-optimizer-x")
    assert len(trials) == 16
    assert "12 of 16 trials are done" in outputs[1]
    for state, value, params in trials:
        assert ("momentum" in params) == (params["optimizer"] == "sgd")
        assert state == "PRUNED" or value >= (params["x"] - 1) ** 2
    assert "PRUNED" in {trial[0] for trial in trials}
    folder = tmp_path / "outputs" / "momentum-optimizer-x"
    results = yaml.safe_load((folder / "optimization_results.yaml").read_text())
    assert results["best_value"] == min(t[1] for t in trials if t[0] == "COMPLETE")
    assert (folder / "15" / "console.log").exists()
    narrow = environment.read_trials(tmp_path, "narrow")
    assert all(0 <= trial[2]["x"] <= 2 for trial in narrow)

    contradiction = [*commands[0][1:], "epochs=7"]
    process = environment.start(tmp_path, *contradiction)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert "hydra.sweeper.new=true" in output
