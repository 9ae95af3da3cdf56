"""The picture of an utterance contains its phones, and stays of a reasonable size."""

import os
import subprocess
import sys

import numpy as np
import pytest

from audio_model import NAMES, RATE, make_tones, write_model
from framesweep.config.composition import register
from framesweep.evaluation import label_plot
from framesweep.evaluation.label_plot import MAX_ROWS, write_label_plot
from framesweep.evaluation.labeller import Labeller
from framesweep.system.drawing.figures import to_label

register()


@pytest.fixture
def figures(monkeypatch):
    """The figures that are drawn."""
    made = []
    new_figure = label_plot._new_figure
    monkeypatch.setattr(
        label_plot, "_new_figure", lambda width: made.append(new_figure(width)) or made[-1]
    )
    return made


def test_phones_are_written_where_they_fit_and_the_most_probable_have_rows(tmp_path, figures):
    # Names that look like formulas, and letters that the font lacks.
    names = tuple(chr(0x0915 + i) if i % 2 else f"${i}$" for i in range(40))
    write_model(tmp_path, names=names)
    labeller = Labeller.load(tmp_path)
    samples = make_tones(3)
    decoding = labeller.decode(samples, RATE)
    write_label_plot(tmp_path / "a.png", decoding, labeller.phones, samples, RATE)
    (figure,) = figures
    spectrum, phones, posteriors = figure.axes
    assert posteriors.get_xlim() == (0, pytest.approx(3))
    assert len(posteriors.get_yticks()) == MAX_ROWS
    written = [text.get_text() for text in phones.texts]
    assert written
    assert set(written) <= {to_label(segment.phone) for segment in decoding.segments}
    rows = [tick.get_text() for tick in posteriors.get_yticklabels()]
    assert any(row.startswith("U+09") for row in rows)
    assert any(row.startswith("$") for row in rows)
    assert len(phones.lines) == len(decoding.segments)
    assert spectrum.images


@pytest.mark.parametrize("seconds", [0.03, 100])
def test_short_and_long_audio_have_pictures_too(tmp_path, figures, seconds):
    write_model(tmp_path)
    labeller = Labeller.load(tmp_path)
    samples = make_tones(seconds)
    decoding = labeller.decode(samples, RATE)
    write_label_plot(tmp_path / "a.png", decoding, NAMES, samples, RATE)
    assert 6 <= figures[0].get_figwidth() <= 60
    image = figures[0].axes[0].images[0].get_array()
    assert image.size < 10_000_000
    assert np.isfinite(image).all()


def test_a_backend_that_is_not_installed_does_not_matter():
    code = (
        "from framesweep.evaluation.label_plot import _new_figure; import os;"
        "_new_figure(6.0); print(os.environ['MPLBACKEND'])"
    )
    environment = {**os.environ, "MPLBACKEND": "no-such-backend"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "no-such-backend"
