"""Rules for the project that its other checks cannot express."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_every_target_of_make_has_a_rule():
    text = (REPOSITORY / "Makefile").read_text("utf-8").replace("\\\n", " ")
    (targets,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    rules = {
        name
        for line in re.findall(r"^([a-z][a-z -]*):", text, re.MULTILINE)
        for name in line.split()
    }
    assert set(targets.split()) == rules
