"""What `import framesweep` offers and costs."""

import os
import subprocess
import sys

import pytest

import framesweep
from framesweep.kernels.openmp import find_library

HEAVY = {"torch", "mlflow", "hydra", "omegaconf", "numpy", "pandas", "optuna", "matplotlib"}


def run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


def openmp_settings(**variables: str) -> str:
    """What GNU OpenMP says about itself, in a process with these variables."""
    result = subprocess.run(
        [sys.executable, "-c", "import framesweep, torch"],
        env=os.environ | {"OMP_DISPLAY_ENV": "VERBOSE"} | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stderr


def test_the_import_imports_nothing_heavy():
    code = f"import sys, framesweep; print(*sorted({HEAVY!r} & set(sys.modules)), dir())"
    assert run(code).startswith("[")


def test_runs_can_be_called_before_and_after_its_modules_are_imported():
    code = """
import framesweep as fs
assert callable(fs.runs)
import framesweep.runs.reporting.history
assert callable(fs.runs)
from framesweep import runs
print(runs.reporting.history.HISTORY, runs.__call__.__doc__.split()[0])
"""
    assert run(code) == "history.csv Return"


def test_everything_that_is_offered_exists():
    for name in framesweep.__all__:
        assert getattr(framesweep, name).__doc__
    assert dir(framesweep) == sorted(framesweep.__all__)
    assert not hasattr(framesweep, "no_such_name")


def test_the_help_on_the_table_of_runs_is_about_that():
    code = "import framesweep as fs, inspect; help(fs.runs); print(inspect.signature(fs.runs))"
    printed = run(code)
    assert "fs.runs(outputs=None, *, uri=None) returns a table" in printed
    assert "FRAMESWEEP_OUTPUTS" in printed
    assert "(outputs: str | pathlib.Path | None = None, *, uri" in printed.splitlines()[-1]


@pytest.mark.skipif(find_library() is None, reason="torch does not use GNU OpenMP")
@pytest.mark.parametrize(
    ("variables", "count"),
    [({}, 2000), ({"GOMP_SPINCOUNT": "77"}, 77), ({"OMP_WAIT_POLICY": "passive"}, 0)],
)
def test_threads_that_wait_for_others_soon_sleep_unless_the_user_wants_otherwise(
    variables, count, monkeypatch
):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    assert f"GOMP_SPINCOUNT = '{count}'" in openmp_settings(**variables)
