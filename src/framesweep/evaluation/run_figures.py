"""Figures of a run in Plotly's JSON schema: learning curves and the confusion matrix."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from framesweep.evaluation.metrics import Panel, list_curves

COLORS = {"train": "#7f7f7f", "dev": "#1f77b4", "test": "#d62728"}
DASHES = {"speech_accuracy": "dash", "edge_accuracy": "dot", "macro_accuracy": "dashdot"}
MARKERS = {"smoothed_accuracy": "diamond"}
"""Markers that are not circles: a metric of one epoch has a point in place of a line."""

MAX_SIDE = 1000
"""Largest height of the confusion matrix in pixels."""

MARGIN = {"l": 60, "r": 20, "t": 50, "b": 50}


def draw_curves(
    history: Sequence[Mapping[str, float]], panel: Panel, title: str, best_epoch: int
) -> dict[str, Any]:
    """Return the curves of all metrics of a panel over epochs.

    Args:
        best_epoch: The epoch that a vertical line marks; 0 for none.
    """
    traces = [_draw_curve(name, history) for name in list_curves(history, panel)]
    line = {
        "type": "line",
        "x0": best_epoch,
        "x1": best_epoch,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": "#2ca02c", "width": 1},
    }
    # A tick at each epoch, or at every second, fifth, ..., so that at most ten have numbers.
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 10**6) if len(history) <= 10 * s)
    layout = {
        "title": {"text": title},
        "xaxis": {"title": {"text": "epoch"}, "dtick": step, "tick0": 0},
        "yaxis": {"title": {"text": panel}},
        "shapes": [line] if best_epoch else [],
        "margin": MARGIN,
    }
    return {"data": traces, "layout": layout}


def _draw_curve(name: str, history: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    split, _, metric = name.partition("/")
    points = [
        (epoch, metrics[name])
        for epoch, metrics in enumerate(history, start=1)
        if math.isfinite(metrics.get(name, math.nan))
    ]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [epoch for epoch, _ in points],
        "y": [value for _, value in points],
        "line": {"color": COLORS.get(split, "#9467bd"), "dash": DASHES.get(metric, "solid")},
        "marker": {"symbol": MARKERS.get(metric, "circle")},
    }


def draw_matrix(names: Sequence[str], counts: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Return the confusion matrix, each row divided by the frames of its true phone."""
    totals = [max(1, sum(row)) for row in counts]
    shares = [
        [count / total for count in row] for row, total in zip(counts, totals, strict=True)
    ]
    heat = {
        "type": "heatmap",
        "x": list(names),
        "y": list(names),
        # Colors by the square root, so that rare confusions can be seen.
        "z": [[math.sqrt(share) for share in row] for row in shares],
        "customdata": [
            [[count, round(100 * share, 2)] for count, share in zip(row, part, strict=True)]
            for row, part in zip(counts, shares, strict=True)
        ],
        "hovertemplate": "%{y} as %{x}: %{customdata[0]} frames, "
        "%{customdata[1]} % of %{y}<extra></extra>",
        "colorscale": [[0, "#f7fbff"], [0.5, "#6baed6"], [1, "#08306b"]],
        "showscale": False,
    }
    axis = {
        "type": "category",
        "tickfont": {"size": 9},
        "dtick": 1 if len(names) <= 80 else None,
    }
    layout = {
        "title": {"text": "Share of each true phone's frames"},
        "xaxis": {**axis, "title": {"text": "predicted phone"}, "tickangle": -90},
        "yaxis": {**axis, "title": {"text": "true phone"}, "autorange": "reversed"},
        "margin": {**MARGIN, "l": 90, "b": 90},
    }
    return {"data": [heat], "layout": layout}


def matrix_height(num_phones: int) -> int:
    """Return the height of the confusion matrix in pixels."""
    return min(MAX_SIDE, 220 + 12 * num_phones)
