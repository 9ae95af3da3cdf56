"""Rules for the project that its other checks cannot express."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from framesweep.config.effects import declared_effects

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "src"

LIGHT = [f"framesweep.{name}" for name in ("cli", "config", "config.composition", "errors")]
HEAVY = {"torch", "mlflow", "sklearn", "matplotlib", "optuna", "pandas", "numpy", "numba"}


def modules(folder):
    return sorted(p for p in folder.rglob("*.py") if p.name != "__init__.py")


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_import_nothing_heavy(module):
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""


MAX_FUNCTION, MAX_MODULE, MAX_FOLDER = 40, 250, 20
"""Most lines of code of a function, most lines of a module, and most modules of a folder."""


def test_functions_are_short():
    long = {
        f"{path.relative_to(SOURCE)}: {node.name}": length
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := count_code_lines(node, path)) > MAX_FUNCTION
    }
    assert long == {}


def count_code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef, path: Path) -> int:
    """Return the number of lines of a function without its docstring, comments and blanks."""
    lines = path.read_text("utf-8").splitlines()
    docstring = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
    skipped = range(docstring.lineno, docstring.end_lineno + 1) if docstring else ()
    return sum(
        number not in skipped and lines[number - 1].strip()[:1] not in ("", "#")
        for number in range(node.lineno, node.end_lineno + 1)
    )


def test_modules_and_folders_are_small():
    lengths = {
        path.relative_to(SOURCE).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in SOURCE.rglob("*.py")
    }
    assert {m for m, n in lengths.items() if n > MAX_MODULE} == set()
    folders = Counter(path.parent.relative_to(SOURCE).as_posix() for path in modules(SOURCE))
    assert {f for f, n in folders.items() if n > MAX_FOLDER} == set()


def test_no_pickle_is_loaded():
    for path in modules(SOURCE):
        if path.name == "_worker.py":
            continue  # reads what its own parent process sends through a pipe
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            name = ast.unparse(node.func)
            values = {k.arg: ast.unparse(k.value) for k in node.keywords}
            assert name not in {"pickle.load", "pickle.loads"}, path
            assert name != "torch.load" or values.get("weights_only") == "True", path
            assert values.get("allow_pickle") != "True", path


def test_files_of_text_are_opened_as_utf_8():
    """Ruff's PLW1514 does not know the type of the paths that `atomic_file` yields."""
    for path in modules(SOURCE):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            mode = node.args[0] if node.func.attr == "open" and node.args else None
            if isinstance(mode, ast.Constant) and re.fullmatch(r"[rwax+]+", str(mode.value)):
                keywords = {keyword.arg for keyword in node.keywords}
                assert "encoding" in keywords, f"{path}: line {node.lineno}"


def test_the_page_on_the_architecture_shows_the_layers_that_are_checked():
    page = (REPOSITORY / "ARCHITECTURE.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", page, re.MULTILINE)
    shown = [{name.removesuffix("/") for name in re.findall("`(.*?)`", row)} for _, row in rows]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one["id"] == "layers")
    assert [{name.removesuffix(".py") for name in row} for row in shown] == [
        set(layer.split(" | ")) for layer in layers
    ]
    assert [int(number) for number, _ in rows] == list(range(len(layers), 0, -1))


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_the_modules_that_a_page_names_exist(page):
    text = (REPOSITORY / page).read_text("utf-8")
    packages = "|".join(path.stem for path in (SOURCE / "framesweep").glob("[a-z]*"))
    names = re.findall(rf"`((?:{packages})\.[a-z_.]+)`", text)
    dotted = {name for name in names if not name.endswith(".py")} - declared_effects().keys()
    paths = set(re.findall(r"`([\w./]+\.py)`", text))
    roots = (REPOSITORY, REPOSITORY / "tests", SOURCE, SOURCE / "framesweep")
    assert {name for name in dotted if not is_defined(name)} == set()
    assert {
        name for name in paths if not any((root / name).exists() for root in roots)
    } == set()


def is_defined(name: str) -> bool:
    """Whether a dotted name is that of a module of framesweep, or of a function in one."""
    path = SOURCE.joinpath("framesweep", *name.split("."))
    if path.is_dir() or path.with_suffix(".py").exists():
        return True
    module = path.parent.with_suffix(".py")
    return module.exists() and f"def {path.name}(" in module.read_text("utf-8")


def test_every_target_of_make_has_a_rule():
    text = (REPOSITORY / "Makefile").read_text("utf-8").replace("\\\n", " ")
    (targets,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    rules = {
        name
        for line in re.findall(r"^([a-z][a-z -]*):", text, re.MULTILINE)
        for name in line.split()
    }
    assert set(targets.split()) == rules
