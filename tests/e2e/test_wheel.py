"""The wheel and the source distribution: complete, well described and usable on their own."""

import os
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
# The metadata names the authors but no e-mail address, which pyroma would like to see.
SKIPPED_BY_PYROMA = "AuthorEmail"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built with the tools of this environment."""
    folder = tmp_path_factory.mktemp("wheels")
    offline = ["--no-deps", "--no-build-isolation", "--quiet"]
    run([*PIP, "wheel", *offline, "-w", str(folder), str(REPOSITORY)])
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def distributions(tmp_path_factory) -> tuple[Path, Path]:
    """The source distribution, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    run([*build, str(REPOSITORY)])
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def unpacked(distributions, tmp_path_factory) -> Path:
    """The folder to which the source distribution is unpacked."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(distributions[0]) as archive:
        archive.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    return root


def run(command: list[str], **options) -> str:
    """Return what a command printed; it must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_wheel_trains_in_any_folder(wheel, tmp_path, corpus):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    run([*PIP, "install", "--no-deps", "--quiet", "--target", str(site), str(wheel)])
    code = "from framesweep import cli; print(cli.__file__); cli.main()"
    arguments = ["train", "data=hw1p2", f"data.root={corpus}", "data.context=2"]
    arguments += ["model=small", "train.epochs=1", "tracking=none", "hardware.threads=1"]
    output = run(
        [sys.executable, "-c", code, *arguments],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(site)},
    )
    assert str(site) in output.splitlines()[0]
    assert list((elsewhere / "outputs" / "runs").glob("*/*/model/model.safetensors"))


def test_wheel_contains_the_packages_their_configuration_and_type_marker(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    src = REPOSITORY / "src"
    modules = {
        *(path.relative_to(src).as_posix() for path in src.glob("framesweep/**/*.py")),
        *(path.relative_to(src).as_posix() for path in src.glob("hydra_plugins/*/**/*.py")),
    }
    conf = {
        f"framesweep/{path.relative_to(REPOSITORY).as_posix()}"
        for path in (REPOSITORY / "conf").rglob("*.yaml")
    }
    assert {*modules, *conf, "framesweep/py.typed"} <= names
    # What the sweeper's own wheel is built from stays out of the namespace package.
    assert {name.split("/")[1] for name in names if name.startswith("hydra_plugins/")} == {
        "framesweep_sweeper"
    }


def test_metadata_describes_the_project(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = message_from_string(archive.read(path).decode())
    assert metadata["Author"] == "framesweep developers"
    assert metadata["License-Expression"] == "MIT"
    assert {"Homepage", "Repository", "Documentation", "Changelog", "Issues"} == {
        url.partition(",")[0] for url in metadata.get_all("Project-URL")
    }
    assert "Typing :: Typed" in metadata.get_all("Classifier")


@pytest.mark.heavy
def test_checkers_of_distributions_find_nothing(distributions):
    sdist, wheel = map(str, distributions)
    python = [sys.executable, "-m"]
    run([*python, "twine", "--no-color", "check", "--strict", sdist, wheel])
    run([*python, "check_wheel_contents", wheel], cwd=REPOSITORY)
    rating = ["--min", "10", "--skip-tests", SKIPPED_BY_PYROMA]
    run([*python, "pyroma", *rating, sdist])


@pytest.mark.heavy
def test_source_distribution_holds_every_tracked_file(unpacked):
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if tracked.returncode:
        pytest.skip("needs the git repository")
    lacking = [name for name in tracked.stdout.splitlines() if not (unpacked / name).exists()]
    assert lacking == []


@pytest.mark.heavy
def test_tests_run_from_the_source_distribution(unpacked):
    environment = {**os.environ, "PYTHONPATH": str(unpacked / "src")}
    where = "import framesweep; print(framesweep.__file__)"
    found = run([sys.executable, "-c", where], cwd=unpacked, env=environment)
    assert found.startswith(str(unpacked))
    pytest_command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    run([*pytest_command, "--collect-only", "tests"], cwd=unpacked, env=environment)
    output = run([*pytest_command, "tests/unit/config"], cwd=unpacked, env=environment)
    assert "passed" in output


@pytest.mark.heavy
def test_source_distribution_can_be_installed(unpacked, tmp_path):
    site = tmp_path / "site"
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--target", str(site)]
    run([*PIP, "install", *options, str(unpacked)])
    code = "from framesweep import cli; print(cli.__file__); cli.main()"
    output = run(
        [sys.executable, "-c", code, "train", "--help"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
    )
    assert str(site) in output.splitlines()[0]
    assert "data: demo, hw1p2" in output
