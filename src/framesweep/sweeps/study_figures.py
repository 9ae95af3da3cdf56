"""Optuna's plots of a study as Plotly figures, which show values under the mouse pointer."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from optuna import visualization
from optuna.study import Study
from optuna.trial import FrozenTrial

from framesweep.sweeps.importances import select_important_params
from framesweep.sweeps.tables import get_objective_names
from framesweep.system.drawing.html_page import Page

CONTOUR_HEIGHT = 900
"""Height in pixels of the contour plots, which are a matrix."""

Draw = Callable[[], Any]
"""Draws a figure of Plotly."""


def draw_study(study: Study) -> list[dict[str, Any]]:
    """Return every figure for which the study has enough trials, as Plotly's JSON."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    figures = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that some of these plots are experimental
        for draw in _list_figures(study):
            try:
                figure = draw()
            except (ValueError, RuntimeError, ZeroDivisionError):
                # What Optuna raises without completed trials, with one value, or no variance.
                continue
            if figure.data:
                figures.append(json.loads(figure.to_json()))
    return figures


def write_study_figures(study: Study, path: Path) -> bool:
    """Write every figure to one page; return False, and write nothing, if there is none."""
    figures = draw_study(study)
    page = Page(f"Study {study.study_name}")
    for figure in figures:
        page.add_figure(figure, 520)
    if figures:
        page.write(path)
    return bool(figures)


def _list_figures(study: Study) -> list[Draw]:
    names = get_objective_names(study)
    if len(names) > 1:
        figures = [lambda: visualization.plot_pareto_front(study, target_names=names)]
    else:
        figures = [
            lambda: _label_epochs(visualization.plot_intermediate_values(study), names[0])
        ]
    for index, name in enumerate(names):
        figures += _list_objective_figures(study, index, name, is_single=len(names) == 1)
    return [*figures, lambda: visualization.plot_timeline(study)]


def _list_objective_figures(
    study: Study, index: int, name: str, *, is_single: bool
) -> list[Draw]:
    def value(trial: FrozenTrial) -> float:
        return float(trial.values[index])

    # With a single objective, Optuna reads the values itself and also marks the best ones.
    target: Any = None if is_single else value
    options: dict[str, Any] = {"target": target, "target_name": name}
    return [
        lambda: visualization.plot_optimization_history(study, **options),
        lambda: visualization.plot_param_importances(study, **options),
        lambda: visualization.plot_parallel_coordinate(study, **options),
        lambda: visualization.plot_slice(study, **options),
        lambda: visualization.plot_contour(
            study, params=select_important_params(study, target), **options
        ).update_layout(height=CONTOUR_HEIGHT),
    ]


def _label_epochs(figure: Any, objective: str) -> Any:
    last = max((epoch for trace in figure.data for epoch in trace.x), default=1)
    figure.update_layout(title="Learning curves of the trials")
    figure.update_xaxes(title="epoch", tick0=0, dtick=max(1, last // 10))
    return figure.update_yaxes(title=objective)
