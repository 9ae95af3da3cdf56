"""The house's rules that a machine can read: floors, heavy imports, words."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"

# From the ground up; a module imports from lower floors only.
FLOORS = [
    ["errors", "credentials"],
    [
        "config",
        "plan",
        "order",
        "wording",
        "phones",
        "files",
        "progress",
        "signals",
        "console",
        "widths",
        "listening",
        "distributed",
        "memory",
    ],
    ["composition", "kernels", "data", "layers", "launch"],
    ["blocks"],
    ["tdnn"],
    [
        "model",
        "optim",
        "schedule",
        "hardware",
        "augment",
        "averaging",
        "metrics",
        "checkpoint",
        "tracking",
    ],
    ["report", "evaluation", "prediction", "sweeps", "inspection", "tally"],
    ["training", "smoothing", "inspection_report", "rules"],
    ["experiment"],
    ["inference", "logbook", "following"],
    ["run"],
    ["reruns", "bench"],
    ["commands"],
    ["cli"],
]
LIGHT = ["framesweep.cli", "framesweep.config", "framesweep.composition", "framesweep.errors"]
HEAVY = {"torch", "mlflow", "sklearn", "matplotlib", "optuna", "pandas", "numpy", "numba"}


def imports(path):
    """Every framesweep module that the file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("framesweep.")}


def floor_of(name, floors):
    levels = [level for level, names in enumerate(floors) if name in names]
    assert levels, f"{name} has no floor yet: give it one"
    return levels[0]


def modules(folder):
    return sorted(p for p in folder.rglob("*.py") if p.name != "__init__.py")


@pytest.mark.parametrize("path", modules(SOURCE / "framesweep"), ids=lambda p: p.stem)
def test_imports_point_downwards(path):
    parts = path.relative_to(SOURCE / "framesweep").with_suffix("").parts
    for name in imports(path):
        target = name.split(".")[1:]
        known = SOURCE.joinpath("framesweep", *target)
        if not (known.with_suffix(".py").exists() or known.is_dir()):
            continue  # an attribute of a module that is checked under its own name
        if target[0] != parts[0]:
            above, below = floor_of(parts[0], FLOORS), floor_of(target[0], FLOORS)
            assert below < above, f"{'.'.join(parts)} imports {name}"


def test_nothing_goes_round_inside_a_package():
    for package in sorted({p.parent for p in SOURCE.rglob("*.py") if p.parent != SOURCE}):
        if package.name == "framesweep":
            continue
        graph = {}
        for path in package.glob("*.py"):
            base = ".".join(package.relative_to(SOURCE).parts)
            text = {n for n in all_imports(path) if n.startswith(base + ".")}
            graph[path.stem] = {n.removeprefix(base + ".").split(".")[0] for n in text}
        visit_all(graph, package)


def all_imports(path):
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def visit_all(graph, package):
    done = set()

    def visit(name, trail):
        assert name not in trail, f"{package}: {' -> '.join([*trail, name])}"
        if name in done:
            return
        for child in graph.get(name, ()):
            visit(child, [*trail, name])
        done.add(name)

    for name in graph:
        visit(name, [])


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_import_nothing_heavy(module):
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""


def test_mlflow_is_imported_in_tracking_alone():
    for path in modules(SOURCE):
        if "tracking" in path.relative_to(SOURCE).as_posix():
            continue
        names = {n.split(".")[0] for n in plain_imports(path)}
        assert "mlflow" not in names, path


def plain_imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


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
