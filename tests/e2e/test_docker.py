"""The Dockerfile, whose steps are rehearsed in a clean folder: Docker itself is not needed."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from dockerfile import Instruction, read_dockerfile
from documents import REPOSITORY
from toy import ToyCorpus, write_hw1p2

LINES = read_dockerfile(REPOSITORY / "Dockerfile")
LENGTHS = {"train": (60, 40), "dev": (30, 20), "test": (15, 5)}


def all_of(name: str) -> list[Instruction]:
    return [line for line in LINES if line.name == name]


def copied() -> dict[str, str]:
    """What the image contains of the repository: each source and its place in the image."""
    pairs = {}
    for line in all_of("COPY"):
        *sources, target = line.words
        for source in sources:
            pairs[source] = f"{target}{source}" if target.endswith("/") else target
    return pairs


def test_the_image_is_an_official_one_without_an_address():
    (base,) = all_of("FROM")
    assert re.fullmatch(r"python:\$\{PYTHON\}-slim", base.text)
    defaults = {name: value for line in all_of("ARG") for name, value in line.pairs.items()}
    assert defaults == {"PYTHON": "3.11", "DEVICE": "cpu", "TORCH_INDEX": ""}
    assert "://" not in (REPOSITORY / "Dockerfile").read_text()


def test_every_file_that_is_copied_exists_and_reaches_the_build():
    ignore = (REPOSITORY / ".dockerignore").read_text().splitlines()
    admitted = {line[1:] for line in ignore if line.startswith("!")}
    assert "*" in ignore
    assert set(copied()) == admitted
    assert all((REPOSITORY / source).exists() for source in admitted)


def test_everything_is_installed_from_the_constraints():
    installs = [line.text for line in all_of("RUN") if "pip install" in line.text]
    assert len(installs) == 2
    assert all("--constraint constraints.txt" in text for text in installs)


def test_a_line_that_is_no_instruction_is_rejected(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM python\nRUNN true\n")
    with pytest.raises(ValueError, match="no instruction: RUNN"):
        read_dockerfile(tmp_path / "Dockerfile")
    (tmp_path / "Dockerfile").write_text("ARG A=1\nRUN true\n")
    with pytest.raises(ValueError, match="must be FROM"):
        read_dockerfile(tmp_path / "Dockerfile")


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> dict[str, str]:
    """Run the steps of the Dockerfile, and return the environment of a container.

    They run in a folder that holds only what was copied, and in a virtual environment of their
    own. Its packages are those of this environment, and pip may not look for others: it fails
    unless the constraints are what is installed here.
    """
    root = tmp_path_factory.mktemp("image")
    build, scratch = root / "build", root / "scratch"
    for folder in (build, scratch):
        folder.mkdir()
    venv.create(root / "venv", with_pip=True)
    packages = sysconfig.get_path("purelib", vars={"base": str(root / "venv")})
    # An earlier version than the constraints have, which pip would have to replace.
    for path in Path(packages).glob("setuptools*"):
        shutil.rmtree(path)
    here = [path for path in sys.path if path.endswith("site-packages")]
    (Path(packages) / "base.pth").write_text("\n".join(here))
    environment = {
        "PATH": f"{root / 'venv' / 'bin'}:{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # which means that there is none
        "HOME": str(root / "nobody"),
        "DEVICE": "cpu",
        "TORCH_INDEX": "",
    }
    for line in LINES:
        if line.name == "ENV":
            values = {k: v.replace("/tmp", str(scratch)) for k, v in line.pairs.items()}
            environment |= values
        elif line.name == "COPY":
            *sources, target = line.words
            for source in sources:
                place = build / target / (source if target.endswith("/") else "")
                is_folder = (REPOSITORY / source).is_dir()
                copy = shutil.copytree if is_folder else shutil.copyfile
                copy(REPOSITORY / source, place)
        elif line.name == "RUN":
            done = subprocess.run(
                ["/bin/sh", "-c", line.text],
                cwd=build,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, (line.text, done.stdout, done.stderr)
    return environment


@pytest.mark.heavy
def test_the_steps_lead_to_a_container_that_trains_for_a_user_without_a_home(image, tmp_path):
    corpus = write_hw1p2(tmp_path / "corpus", ToyCorpus(LENGTHS))
    (entry,), (default,) = all_of("ENTRYPOINT"), all_of("CMD")
    shown = run_container(image, tmp_path, *entry.words, *default.words)
    assert "Commands:" in shown
    overrides = ["data=hw1p2", f"data.root={corpus}", "data.context=2", "model.widths=[8]"]
    trained = run_container(
        image, tmp_path, *entry.words, "train", *overrides, "train.epochs=1", "tracking=none"
    )
    assert "best dev/accuracy" in trained
    assert list(tmp_path.glob("outputs/runs/*/*/model/model.safetensors"))


def run_container(image: dict[str, str], folder: Path, *command: str) -> str:
    """Run a command in a rehearsed container, whose working directory is mounted."""
    done = subprocess.run(
        command, cwd=folder, env=image, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
