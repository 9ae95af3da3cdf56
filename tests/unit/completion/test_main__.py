"""What a shell reads at each Tab."""

import subprocess
import sys

import pytest

from framesweep.completion.__main__ import render

BREAKS = " \t\n\"'@><=;|&(:"


def test_a_text_that_is_complete_ends_with_a_space():
    assert render("python train.py model=wi", "")[0] == "words"
    assert render("python train.py model=wi", "")[1].startswith("model=wide \t")
    assert render("python train.py model=wi", BREAKS)[1].startswith("wide \t")
    assert render("python -u ../train.py data.cont", BREAKS) == ["words", "data.context=\tint"]
    assert render("framesweep eva", "")[1].startswith("evaluate \t")
    assert render("framesweep evaluate x --report ", "") == ["dirs"]


@pytest.mark.parametrize(
    "line", ["", " ", "framesweep", "'", "framesweep 'x", "framesweep nope x"]
)
def test_any_line_has_an_answer(line):
    assert render(line, BREAKS)[0] == "words"


def test_a_note_is_one_line_without_tabs():
    for text in render("python train.py ", "")[1:] + render("framesweep ", "")[1:]:
        assert text.count("\t") == 1
        assert "\n" not in text


def test_no_slow_package_is_imported():
    slow = ("torch", "mlflow", "hydra", "omegaconf", "optuna", "sqlalchemy", "numpy", "rich")
    code = (
        "import sys; from framesweep.completion.__main__ import render;"
        "render('framesweep evaluate x', ''); render('python train.py model=', '');"
        f"print([name for name in {slow} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
