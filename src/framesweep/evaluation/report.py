"""Writes the report of a run: learning curves, confusions and per-phone scores."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from framesweep.data.phones import PhoneSet
from framesweep.evaluation.metrics import Panel, list_curves
from framesweep.evaluation.phone_scores import find_top_confusions, score_phones
from framesweep.evaluation.run_figures import COLORS, DASHES, MARKERS
from framesweep.system.atomic_files import write_text
from framesweep.system.drawing.figures import DPI, save_png, to_label

CURVES, MATRIX = "learning_curves.png", "confusion_matrix.png"
PER_PHONE, CONFUSIONS = "per_phone.csv", "top_confusions.csv"
COUNTS = "confusion_matrix.csv"

NUM_CONFUSIONS = 100
MAX_LABELS = 120
LABEL_POINTS = 7.5
LABEL_INCHES = 1.2 * LABEL_POINTS / 72
LINES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}
MARKS = {"circle": ("o", 3), "diamond": ("D", 6)}
"""Matplotlib's name of each of Plotly's kinds of lines and markers, and a marker's size."""


def write_report(
    directory: Path,
    history: Sequence[Mapping[str, float]],
    confusion: Tensor,
    phones: PhoneSet,
    *,
    best_epoch: int | None = None,
) -> list[Path]:
    """Write all files of the report, each atomically, and return their paths.

    Args:
        directory: Where to write them.
        history: The metrics of each epoch, from epoch 1; if empty, there are no curves.
        confusion: (C, C) counts of the best epoch; rows are true phones, columns predictions.
        phones: The C phones.
        best_epoch: The epoch to mark in the learning curves.
    """
    if history:
        write_curves(directory / CURVES, history, best_epoch)
    write_matrix(directory / MATRIX, confusion, phones)
    write_per_phone(directory / PER_PHONE, confusion, phones)
    write_confusions(directory / CONFUSIONS, confusion, phones)
    write_counts(directory / COUNTS, confusion, phones)
    names = (MATRIX, PER_PHONE, CONFUSIONS, COUNTS)
    return [directory / name for name in ((CURVES, *names) if history else names)]


def write_curves(
    path: Path, history: Sequence[Mapping[str, float]], best_epoch: int | None
) -> None:
    """Draw losses and accuracies over epochs, side by side, as PNG."""
    figure = Figure(figsize=(11, 4.2), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_curves(left, history, "loss", "loss (nats per frame)")
    _draw_curves(right, history, "accuracy", "frame accuracy")
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        if best_epoch is not None:
            axes.axvline(best_epoch, color="tab:green", linewidth=1, label="best epoch")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8, framealpha=0.6)
    save_png(figure, path)


def _draw_curves(
    axes: Axes, history: Sequence[Mapping[str, float]], panel: Panel, title: str
) -> None:
    epochs = range(1, len(history) + 1)
    for name in list_curves(history, panel):
        split, _, metric = name.partition("/")
        values = [metrics.get(name, float("nan")) for metrics in history]
        marker, size = MARKS[MARKERS.get(metric, "circle")]
        axes.plot(
            epochs,
            values,
            linestyle=LINES[DASHES.get(metric, "solid")],
            color=COLORS.get(split, "tab:purple"),
            marker=marker,
            markersize=size,
            label=f"{name} {_last(values):.4f}",
        )
    axes.set_title(title)


def _last(values: Sequence[float]) -> float:
    """Return the last finite value; some metrics are computed in one epoch only."""
    return next((value for value in reversed(values) if math.isfinite(value)), math.nan)


def write_matrix(path: Path, confusion: Tensor, phones: PhoneSet) -> None:
    """Draw the confusion matrix as PNG, each row divided by the true phone's frames.

    With more than MAX_LABELS phones only every second, third, ... is named, so that the names
    stay legible.
    """
    counts = confusion.double()
    shares = (counts / counts.sum(dim=1, keepdim=True).clamp(min=1)).numpy()
    every = -(-len(phones) // MAX_LABELS)
    named = range(0, len(phones), every)
    side = max(4.0, len(named) * LABEL_INCHES)
    labels = [to_label(name) for name in phones.names]
    figure, axes, bar = _square_figure(side, max(map(len, labels)))
    image = axes.imshow(
        shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1), interpolation="nearest"
    )
    names = [labels[i] for i in named]
    # Names are no formulas, even if they contain dollar signs.
    axes.set_xticks(named, names, rotation=90, fontsize=LABEL_POINTS, parse_math=False)
    axes.set_yticks(named, names, fontsize=LABEL_POINTS, parse_math=False)
    axes.tick_params(length=1.5, pad=1)
    axes.set_xlabel("predicted phone")
    axes.set_ylabel("true phone")
    axes.set_title("Share of each true phone's frames", fontsize=11)
    figure.colorbar(image, cax=bar)
    save_png(figure, path)


def _square_figure(side: float, longest_name: int) -> tuple[Figure, Axes, Axes]:
    """Return a figure, square axes and the axes of a color bar, with margins for the names.

    The positions are computed here because a layout engine draws the many names several times
    to measure them.

    Args:
        side: Length of the square's sides in inches.
        longest_name: Number of characters of the longest name.
    """
    margin = 0.45 + longest_name * LABEL_POINTS * 0.7 / 72
    width, height = margin + side + 0.9, margin + side + 0.4
    figure = Figure(figsize=(width, height), dpi=DPI)
    axes = figure.add_axes((margin / width, margin / height, side / width, side / height))
    left, bottom = margin + side + 0.15, margin + side / 4
    bar = figure.add_axes((left / width, bottom / height, 0.15 / width, side / 2 / height))
    return figure, axes, bar


def write_per_phone(path: Path, confusion: Tensor, phones: PhoneSet) -> None:
    """Write precision, recall, F1 and number of frames of each phone as CSV."""
    scores = score_phones(confusion)
    columns = zip(
        phones.names, scores.precision, scores.recall, scores.f1, scores.support, strict=True
    )
    rows = ([name, *(f"{x:.6f}" for x in (p, r, f)), int(n)] for name, p, r, f, n in columns)
    _write_csv(path, ["phone", "precision", "recall", "f1", "frames"], rows)


def write_confusions(path: Path, confusion: Tensor, phones: PhoneSet) -> None:
    """Write the most frequent confusions as CSV, with the share of the true phone's frames."""
    rows = (
        [phones.names[one.true], phones.names[one.predicted], one.count, f"{one.share:.6f}"]
        for one in find_top_confusions(confusion, NUM_CONFUSIONS)
    )
    _write_csv(path, ["true", "predicted", "frames", "share"], rows)


def write_counts(path: Path, confusion: Tensor, phones: PhoneSet) -> None:
    """Write the confusion matrix as CSV: a row of counts of frames for each true phone."""
    counts: list[list[int]] = confusion.tolist()
    rows = ([name, *row] for name, row in zip(phones.names, counts, strict=True))
    _write_csv(path, ["true \\ predicted", *phones.names], rows)


def _write_csv(path: Path, header: list[str], rows: Iterable[list[object]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())
