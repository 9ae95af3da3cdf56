"""The recipes of CONTRIBUTING.md, followed word for word in a copy of the repository.

Each writes the files that its blocks of Python name, trains by its command with what was added,
and touches at most two files in src and conf. All together leave the unit tests intact.
"""

import filecmp
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from toy import ToyCorpus

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAX_FILES = {"config key": 3}
"""The most files that a recipe touches, if not two."""
TRAINED = (
    *("activation", "network", "optimizer", "corpus reader", "metric"),
    *("config key", "learning-rate schedule"),
)
NAMES = (*TRAINED, "pruner")
UNIT_TESTS = (
    *("bench/gpu/test_cases.py", "bench/gpu/test_compose_configs.py"),
    *("bench/search/test_contenders.py", "config/test_registry.py"),
    *("config/reference/test_key_docs.py", "config/reference/test_key_pages.py"),
    *("config/test_groups.py", "config/test_key_ranges.py"),
    *("config/messages/test_unknown_keys.py", "evaluation/test_metrics.py"),
    *("hydra_plugins/framesweep_sweeper/search/test_samplers.py", "kernels/test_folding.py"),
    *("hydra_plugins/framesweep_sweeper/test_config.py", "kernels/test_activations.py"),
    *("runs/test_identity.py", "test_contracts.py", "training/optimizers/test_build.py"),
    "training/test_lr_schedules.py",
)
"""The unit tests that go through all options, keys or metrics."""
NAMED_BY_HAND = "test_the_pages_list_every_pruner"

_RECIPE = re.compile(r"^### An? (.+?)\n(.*?)(?=^##)", re.DOTALL | re.MULTILINE)
_PYTHON = re.compile(
    r"^```python\n# (\S+?)(?:, ([^\n]+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
_COMMAND = re.compile(r"^```console\n\$ (.*)\n```$", re.MULTILINE)
_GENERATE = re.compile(r"^```console\n((?:\$ .*\n){2,})```$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of Python: the file it is for, where in it, and its lines."""

    path: str
    place: str
    code: str

    def write(self, root: Path) -> None:
        """Write the block where it says.

        Into a new file, at the end, into a dictionary, before the line that begins so, or in
        place of the lines of the same names.
        """
        path = root / self.path
        if not self.place:
            assert not path.exists(), f"{self.path} is not new"
            path.write_text(self.code, encoding="utf-8")
            return
        text = path.read_text(encoding="utf-8")
        if self.place == "at the end":
            path.write_text(text + self.code, encoding="utf-8")
            return
        if self.place == "in place of the lines that begin alike":
            for line in self.code.splitlines():
                name = line.split()[0]
                text, count = re.subn(rf"^{name}.*$", line, text, flags=re.MULTILINE)
                assert count == 1, name
            path.write_text(text, encoding="utf-8")
            return
        if self.place.startswith("before "):
            start = re.escape(self.place.removeprefix("before "))
            (match,) = re.finditer(rf"^( *){start}", text, re.MULTILINE)
            code = textwrap.indent(self.code, match[1]) + ("" if match[1] else "\n\n")
            text = text[: match.start()] + code + text[match.start() :]
            path.write_text(text, encoding="utf-8")
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
    return call(copy, "train.py", *arguments, *small, code=code)


def call(copy: Path, *words: str, code: int = 0) -> str:
    """Run Python in the copy, and give what it prints."""
    done = subprocess.run(
        [sys.executable, *words],
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


def write(name: str, copy: Path) -> Recipe:
    """Follow a recipe and compare what has changed with what it names."""
    recipe = RECIPES[name]
    for block in recipe.blocks:
        block.write(copy)
    files = touched(copy)
    assert files == sorted({block.path for block in recipe.blocks})
    assert 1 <= len(files) <= MAX_FILES.get(name, 2)
    return recipe


@pytest.mark.parametrize(
    "name", [TRAINED[0], *(pytest.param(name, marks=pytest.mark.heavy) for name in TRAINED[1:])]
)
def test_a_recipe_touches_at_most_two_files_and_trains(name, copy, corpus, archives):
    recipe = write(name, copy)

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
        "config key": saved["config"]["optim"].get("min_lr") == 0.1,
        "learning-rate schedule": saved["config"]["optim"]["schedule"] == "linear",
        "metric": re.search(r"best dev/kappa [01]\.\d+ ", output) is not None,
    }
    assert added[name], output
    assert "epoch 2/2" in output
    if name == "activation":
        for what in ("training step", "evaluation"):
            line = f"model.activation=mish: not part of the fused {what}"
            assert output.count(line) == 1, output


@pytest.mark.heavy
def test_a_new_pruner_prunes_a_search(copy, corpus, archives):
    recipe = write("pruner", copy)
    arguments = arguments_of(recipe, corpus, archives)
    train(copy, [*arguments, "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=1"])
    trials = sorted((copy / "outputs" / "sweeps").glob("*/*/model"))
    assert [trial.parent.name for trial in trials] == ["0", "1"]


@pytest.mark.heavy
def test_all_recipes_together_leave_the_unit_tests_intact(copy):
    for folder in ("docs", "tests"):
        shutil.copytree(REPOSITORY / folder, copy / folder)
    for name in NAMES:
        for block in RECIPES[name].blocks:
            block.write(copy)
    (text,) = _GENERATE.findall(TEXT)
    for command in text.replace("$ ", "").splitlines():
        words, _, target = command.partition(" > ")
        output = call(copy, *interpret(words))
        if target:
            (copy / target).write_text(output, encoding="utf-8")

    tests = [f"tests/unit/{name}" for name in UNIT_TESTS]
    options = ("-q", "-p", "no:xdist", "-p", "no:cacheprovider", "-m", "not heavy")
    call(copy, "-m", "pytest", *options, "-k", f"not {NAMED_BY_HAND}", *tests)


def interpret(command: str) -> list[str]:
    """The arguments of Python that a command stands for; those of make are in the Makefile."""
    program, *words = shlex.split(command)
    if program == "framesweep":
        return ["-m", "framesweep", *words]
    if program == "python":
        return words
    assert program == "make", command
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (rule,) = re.findall(rf"^{words[0]}:.*\n\t\$\(BIN\)/python (.*)$", makefile, re.MULTILINE)
    return shlex.split(rule)


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
