"""Optuna's plots of a study, as images."""

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

from framesweep.sweeps.tables import get_objective_names
from framesweep.system.atomic_files import atomic_file

MOST_PARAMS = 4
"""Params that the contour plot pairs with each other: the most important ones."""

Draw = Callable[[], Any]


def write_plots(study: Study, folder: Path) -> list[Path]:
    """Writes every plot that the study has the trials for, and gives their paths."""
    mpl.use("Agg")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    paths = []
    for name, draw in _plots(study).items():
        path = folder / f"{name}.png"
        if _write(draw, path):
            paths.append(path)
    return paths


def _plots(study: Study) -> dict[str, Draw]:
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
        plots |= _objective_plots(study, index, name, suffix)
    return plots


def _objective_plots(study: Study, index: int, name: str, suffix: str) -> dict[str, Draw]:
    def value(trial: FrozenTrial) -> float:
        return float(trial.values[index])

    # With one objective Optuna finds the values itself, and marks the best.
    target: Any = value if suffix else None
    options = {"target": target, "target_name": name if suffix else "Objective Value"}
    return {
        f"history{suffix}": lambda: visualization.plot_optimization_history(study, **options),
        f"importances{suffix}": lambda: visualization.plot_param_importances(study, **options),
        f"parallel{suffix}": lambda: visualization.plot_parallel_coordinate(study, **options),
        f"slice{suffix}": lambda: visualization.plot_slice(study, **options),
        f"contour{suffix}": lambda: visualization.plot_contour(
            study, params=_important(study, target), **options
        ),
    }


def _important(study: Study, target: Any) -> list[str]:
    importances = optuna.importance.get_param_importances(study, target=target)
    return list(importances)[:MOST_PARAMS]


def _write(draw: Draw, path: Path) -> bool:
    """Draws and writes one plot; False where the study has too few trials for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            axes = np.ravel(np.asarray(draw(), dtype=object))
        except (ValueError, RuntimeError, ZeroDivisionError):
            plt.close("all")
            return False
        figure = axes[0].figure
        width, height = figure.get_size_inches()
        figure.set_size_inches(max(width, 8), max(height, 5))
        with atomic_file(path) as temporary:
            figure.savefig(temporary, dpi=80, bbox_inches="tight", format="png")
        plt.close("all")
    return True
