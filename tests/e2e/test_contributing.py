"""The recipes of CONTRIBUTING.md, followed word for word in a copy of the repository.

Each writes the files that its blocks of Python name, trains by its command with what was added,
and touches at most two files in src and conf.
"""

import filecmp
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from toy import ToyCorpus

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAX_FILES = 2
NAMES = ("activation", "network", "optimizer", "corpus reader", "metric")

_RECIPE = re.compile(r"^### An? (.+?)\n(.*?)(?=^##)", re.DOTALL | re.MULTILINE)
_PYTHON = re.compile(
    r"^```python\n# (\S+?)(?:, ([^\n]+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
_COMMAND = re.compile(r"^```console\n\$ (.*)\n```$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of Python: the file it is for, where in it, and its lines."""

    path: str
    place: str
    code: str

    def write(self, root: Path) -> None:
        """Write the block where it says: into a new file, at the end, or into a dictionary."""
        path = root / self.path
        if not self.place:
            assert not path.exists(), f"{self.path} is not new"
            path.write_text(self.code, encoding="utf-8")
            return
        text = path.read_text(encoding="utf-8")
        if self.place == "at the end":
            path.write_text(text + self.code, encoding="utf-8")
            return
        name = self.place.removeprefix("in ")
        (opening,) = re.findall(rf"^{name}\b.*\{{$", text, re.MULTILINE)
        entry = "".join(f"    {line}\n" for line in self.code.splitlines())
        path.write_text(text.replace(opening, f"{opening}\n{entry.rstrip()}"), encoding="utf-8")


@dataclass(frozen=True)
class Recipe:
    """The blocks of one recipe and the command that uses what they add."""

    blocks: list[Block]
    command: str


def read_recipes() -> dict[str, Recipe]:
    """The recipes by what they add."""
    return {
        name: Recipe(
            [Block(path, place, code) for path, place, code in _PYTHON.findall(text)],
            _COMMAND.findall(text)[0],
        )
        for name, text in _RECIPE.findall(TEXT)
    }


RECIPES = read_recipes()


@pytest.fixture
def copy(tmp_path) -> Path:
    """What a run needs of the repository, with its times, so that compiled loops are found."""
    root = tmp_path / "repository"
    for folder in ("src", "conf"):
        shutil.copytree(REPOSITORY / folder, root / folder)
    for file in ("train.py", "pyproject.toml"):
        shutil.copy2(REPOSITORY / file, root)
    return root


@pytest.fixture
def archives(tmp_path) -> Path:
    """A corpus for the recipe's reader."""
    root = tmp_path / "archives"
    root.mkdir()
    corpus = ToyCorpus({"train": (60, 40), "dev": (30, 20), "test": (15,)})
    for split in corpus.splits():
        utterances = list(corpus.utterances(split))
        np.savez(
            root / f"{split}.npz",
            features=np.concatenate([u.features for u in utterances]),
            labels=np.concatenate([u.labels for u in utterances]),
            lengths=[len(u.features) for u in utterances],
        )
    return root


def touched(copy: Path) -> list[str]:
    """Files in src and conf that are new or have other content than in the repository."""
    files = (path for folder in ("src", "conf") for path in (copy / folder).rglob("*"))
    return sorted(
        path.relative_to(copy).as_posix()
        for path in files
        if path.is_file()
        and path.suffix in (".py", ".yaml", ".toml")
        and not is_same(path, REPOSITORY / path.relative_to(copy))
    )


def is_same(path: Path, original: Path) -> bool:
    return original.exists() and filecmp.cmp(path, original, shallow=False)


def train(copy: Path, arguments: list[str], code: int = 0) -> str:
    """Train by the copy's train.py on little, and give what it prints."""
    small = ["data.context=2", "hardware=cpu", "hardware.threads=1", "train.batch_size=32"]
    small += ["hardware.precision=fp32", "train.epochs=2", "tracking=none"]
    done = subprocess.run(
        [sys.executable, "train.py", *arguments, *small],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy / "src")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def arguments_of(recipe: Recipe, corpus: Path, archives: Path) -> list[str]:
    """The command's own arguments, with corpora and widths that are small."""
    words = shlex.split(recipe.command.replace("/path/to/archives", str(archives)))
    assert words[:2] == ["python", "train.py"]
    arguments = words[2:]
    if not any(word.startswith("data=") for word in arguments):
        arguments += ["data=hw1p2", f"data.root={corpus}"]
    if not any(word.startswith("model=") for word in arguments):
        arguments += ["model.widths=[16,16]"]
    return arguments


def test_there_is_a_recipe_for_everything_that_has_a_registry():
    assert tuple(RECIPES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_touches_at_most_two_files_and_trains(name, copy, corpus, archives):
    recipe = RECIPES[name]
    for block in recipe.blocks:
        block.write(copy)
    files = touched(copy)
    assert files == sorted(block.path for block in recipe.blocks)
    assert 1 <= len(files) <= MAX_FILES

    output = train(copy, arguments_of(recipe, corpus, archives))

    (run,) = (copy / "outputs" / "runs").glob("*/*")
    assert (run / "model" / "model.safetensors").stat().st_size > 0
    saved = yaml.safe_load((run / "config.yaml").read_text())
    added = {
        "activation": saved["config"]["model"]["activation"] == "mish",
        "network": saved["schemas"]["model"] == "dense",
        "optimizer": saved["schemas"]["optim"] == "lion",
        "corpus reader": saved["schemas"]["data"] == "npz"
        and "npz: train 100 frames" in output,
        "metric": re.search(r"best dev/kappa [01]\.\d+ ", output) is not None,
    }
    assert added[name], output
    assert "epoch 2/2" in output
    if name == "activation":
        for what in ("training step", "evaluation"):
            line = f"model.activation=mish: not part of the fused {what}"
            assert output.count(line) == 1, output


@pytest.mark.parametrize("name", NAMES)
def test_the_code_of_a_recipe_passes_the_linter(name, copy):
    for block in RECIPES[name].blocks:
        block.write(copy)
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *touched(copy)],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_a_rule_of_a_new_option_is_one_line_before_the_corpus_is_read(copy):
    for block in RECIPES["optimizer"].blocks:
        block.write(copy)
    arguments = ["optim=lion", "optim.beta1=1", "data=hw1p2", "data.root=/nowhere"]
    output = train(copy, arguments, code=2)
    assert output == "error: optim.beta1: must be at least 0 and below 1; found 1.0\n"
