"""Matplotlib is imported whatever MPLBACKEND says."""

import os
import subprocess
import sys

import matplotlib
import pytest

from framesweep.system.drawing.matplotlib_backend import (
    VARIABLE,
    draw_into_files,
    pyplot_into_files,
)

DRAW = """
import os
from framesweep.system.drawing.matplotlib_backend import import_matplotlib
import_matplotlib()
import matplotlib
from matplotlib.figure import Figure
figure = Figure()
figure.subplots().plot([1, 2])
figure.savefig("plot.png")
print(os.environ["MPLBACKEND"], matplotlib.get_backend(auto_select=False))
"""


@pytest.mark.parametrize(
    ("backend", "kept"),
    [
        ("no_such_backend", "None"),
        ("module://no_such.module", "module://no_such.module"),
        ("tkagg", "tkagg"),
    ],
)
def test_a_plot_is_drawn_and_a_usable_backend_is_kept(backend, kept, tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", DRAW],
        env={**os.environ, VARIABLE: backend},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == f"{backend} {kept}\n", result.stderr
    assert (tmp_path / "plot.png").stat().st_size > 1000


@pytest.fixture
def svg_backend():
    before = matplotlib.get_backend()
    matplotlib.use("svg")
    yield
    matplotlib.use(before)


def test_pyplot_has_its_own_backend_again_after_it_drew_into_files(svg_backend):
    with pyplot_into_files():
        assert matplotlib.get_backend() == "agg"
    assert matplotlib.get_backend() == "svg"


def test_the_command_line_draws_into_files_only(monkeypatch):
    monkeypatch.setenv(VARIABLE, "module://matplotlib_inline.backend_inline")
    draw_into_files()
    assert os.environ[VARIABLE] == "agg"
