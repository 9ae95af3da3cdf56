"""Draws the spectrogram, the phones and their posteriors of one utterance."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from framesweep.data.corpus import Array
from framesweep.evaluation.labeller import Decoding
from framesweep.system.atomic_files import atomic_file
from framesweep.system.drawing.matplotlib_backend import import_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 120
INCHES_PER_SECOND = 2.5
WIDTHS = (6.0, 60.0)
"""Smallest and largest width of the figure, in inches; more would be too large an image."""
LABEL_POINTS = 8
ROW_POINTS = 7
MAX_ROWS = 25
"""Largest number of phones whose posteriors are drawn: those with the most frames."""
MAX_COLUMNS = 20_000
"""Largest number of spectra, about three per pixel of the widest figure."""
DECIBELS = 70
"""Range of the spectrogram below its maximum."""


def write_label_plot(
    path: Path, decoding: Decoding, phones: tuple[str, ...], samples: Array, sample_rate: int
) -> None:
    """Draw one utterance as PNG, atomically.

    Args:
        path: The file to write.
        decoding: The phones of the utterance and their posteriors.
        phones: The C names of the phones.
        samples: (N,) samples of the audio.
        sample_rate: Their sample rate, in Hz.
    """
    end = float(decoding.edges[-1])
    width = float(np.clip(end * INCHES_PER_SECOND, *WIDTHS))
    figure = _new_figure(width)
    from framesweep.system.drawing.figures import to_label  # imports matplotlib as well

    labels = [to_label(name) for name in phones]
    spectrum, names, matrix = figure.subplots(
        3, 1, sharex=True, height_ratios=(4, 0.7, 5), gridspec_kw={"hspace": 0.08}
    )
    _draw_spectrogram(spectrum, samples, sample_rate)
    _draw_phones(names, decoding, dict(zip(phones, labels, strict=True)), width / end)
    _draw_posteriors(matrix, decoding, labels)
    matrix.set_xlim(0, end)
    matrix.set_xlabel("time in seconds")
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", bbox_inches="tight")


def _new_figure(width: float) -> "Figure":
    """Return an empty figure, which is drawn to a file and needs no display."""
    import_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, 7.0), dpi=DPI)


def _draw_spectrogram(axes: "Axes", samples: Array, sample_rate: int) -> None:
    """Draw the power of 512-point spectra in dB, every 4 ms or less often."""
    size = min(512, len(samples))
    step = max(1, sample_rate // 250, len(samples) // MAX_COLUMNS)
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::step]
    power = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2
    decibels = 10 * np.log10(np.maximum(power, 1e-12))
    top = float(decibels.max())
    half = size / 2 / sample_rate
    axes.imshow(
        decibels.T,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=top - DECIBELS,
        vmax=top,
        extent=(half, half + len(frames) * step / sample_rate, 0, sample_rate / 2000),
    )
    axes.set_ylabel("frequency in kHz")


def _draw_phones(
    axes: "Axes", decoding: Decoding, labels: dict[str, str], inches_per_second: float
) -> None:
    """Write the name of each phone into its segment; where it does not fit, only the edges."""
    axes.set_yticks([])
    axes.set_ylim(0, 1)
    for segment in decoding.segments:
        axes.axvline(segment.start_s, color="black", linewidth=0.6)
        label = labels[segment.phone]
        points = (segment.end_s - segment.start_s) * inches_per_second * 72
        if points >= LABEL_POINTS * 0.7 * len(label):
            center = (segment.start_s + segment.end_s) / 2
            text = axes.text(center, 0.5, label, ha="center", va="center", parse_math=False)
            text.set_fontsize(LABEL_POINTS)


def _draw_posteriors(axes: "Axes", decoding: Decoding, labels: list[str]) -> None:
    """Draw the posteriors of the phones that are most probable over time, in their order."""
    totals = decoding.posteriors.sum(axis=0)
    shown = np.sort(np.argsort(-totals, kind="stable")[:MAX_ROWS])
    rows = np.arange(len(shown) + 1) - 0.5
    axes.pcolormesh(
        decoding.edges, rows, decoding.posteriors[:, shown].T, cmap="Blues", vmin=0, vmax=1
    )
    axes.set_yticks(
        range(len(shown)), [labels[i] for i in shown], fontsize=ROW_POINTS, parse_math=False
    )
    axes.invert_yaxis()
    axes.set_ylabel("posterior")
