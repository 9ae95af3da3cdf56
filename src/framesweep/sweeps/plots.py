"""Writes Optuna's plots of a study as PNG files."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import optuna
from matplotlib import pyplot as plt
from optuna.study import Study
from optuna.trial import FrozenTrial
from optuna.visualization import matplotlib as visualization

from framesweep.sweeps.importances import select_important_params
from framesweep.sweeps.plot_layout import make_readable
from framesweep.sweeps.tables import get_objective_names
from framesweep.system.drawing.figures import PLAIN_TEXT, save_png
from framesweep.system.drawing.matplotlib_backend import pyplot_into_files

Draw = Callable[[], Any]
"""Draws a plot and returns its axes, one or an array of them."""


def write_plots(study: Study, folder: Path) -> list[Path]:
    """Write every plot for which the study has enough trials, and return their paths."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    paths = []
    with pyplot_into_files():
        for name, draw in _list_plots(study).items():
            path = folder / f"{name}.png"
            if _write_plot(draw, path, get_objective_names(study)[0]):
                paths.append(path)
    return paths


def _list_plots(study: Study) -> dict[str, Draw]:
    plots: dict[str, Draw] = {
        "timeline": lambda: visualization.plot_timeline(study),
    }
    if len(study.directions) == 1:
        plots["intermediate_values"] = lambda: visualization.plot_intermediate_values(study)
    else:
        plots["pareto_front"] = lambda: visualization.plot_pareto_front(
            study, target_names=get_objective_names(study)
        )
    for index, name in enumerate(get_objective_names(study)):
        suffix = "" if len(study.directions) == 1 else f"_{index + 1}"
        plots |= _list_objective_plots(study, index, name, suffix)
    return plots


def _list_objective_plots(study: Study, index: int, name: str, suffix: str) -> dict[str, Draw]:
    def value(trial: FrozenTrial) -> float:
        return float(trial.values[index])

    # With a single objective, Optuna reads the values itself and also marks the best ones.
    target: Any = value if suffix else None
    options = {"target": target, "target_name": name}
    return {
        f"history{suffix}": lambda: visualization.plot_optimization_history(study, **options),
        f"importances{suffix}": lambda: visualization.plot_param_importances(study, **options),
        f"parallel{suffix}": lambda: visualization.plot_parallel_coordinate(study, **options),
        f"slice{suffix}": lambda: visualization.plot_slice(study, **options),
        f"contour{suffix}": lambda: visualization.plot_contour(
            study, params=select_important_params(study, target), **options
        ),
    }


def _write_plot(draw: Draw, path: Path, objective: str) -> bool:
    """Draw and write one plot; return False if the study has too few trials for it."""
    # Optuna chooses a style for all figures of the process, which ends with this context.
    with warnings.catch_warnings(), mpl.rc_context(PLAIN_TEXT):
        warnings.simplefilter("ignore")  # that these plots are experimental
        try:
            axes = np.ravel(np.asarray(draw(), dtype=object))
        except (ValueError, RuntimeError, ZeroDivisionError):
            # What Optuna raises without completed trials, with one value, or without variance.
            plt.close("all")
            return False
        figure = axes[0].figure
        make_readable(figure, path.stem, objective)
        save_png(figure, path, tight=True)
        plt.close("all")
    return True
