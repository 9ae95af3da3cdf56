"""Figures can be drawn whatever the names in them are."""

import subprocess
import sys
import warnings

import pytest
from matplotlib.figure import Figure
from PIL import Image

from framesweep.system.drawing.figures import DPI, save_png, to_label


@pytest.mark.parametrize("name", ["AA", "[SIL]", "ə", "ŋ", "tʃʰ", "æ̃", "ж", "$x$", "_^%\\"])
def test_letters_and_the_phonetic_alphabet_are_drawn_as_they_are(name):
    assert to_label(name) == name


@pytest.mark.parametrize(
    ("name", "label"),
    [("क", "U+0915"), ("aका", "aU+0915U+093E"), ("音", "U+97F3"), ("🦊", "U+1F98A")],
)
def test_a_character_without_a_glyph_becomes_its_code_point(name, label):
    assert to_label(name) == label


def test_a_figure_is_saved_without_a_warning_for_texts_of_others(tmp_path):
    figure = Figure(figsize=(2, 1))
    figure.subplots().set_title("क")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_png(figure, tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (2 * DPI, DPI)


def test_the_first_use_of_matplotlib_on_a_machine_logs_nothing(tmp_path):
    code = "import logging, framesweep; logging.basicConfig(level=20); import matplotlib.figure"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"MPLCONFIGDIR": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert list(tmp_path.glob("fontlist*"))
    assert "font" not in done.stderr + done.stdout
