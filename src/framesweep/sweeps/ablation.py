"""The gain of each ablation: a table and a figure of a study over `ablation` and `seed`."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from optuna.study import Study

from framesweep.sweeps.tables import get_objective_names, rank_trials
from framesweep.system.atomic_files import atomic_file

NAMES = ("ablation", "lever")
"""The searched group, and its name in studies of version 0.1."""
BASELINE = "none"


@dataclass(frozen=True, slots=True)
class Gain:
    """The objective of one ablation over its seeds, and its gain over the baseline's mean.

    `error` is the standard error of the gain, NaN where either has a single seed.
    """

    ablation: str
    values: tuple[float, ...]
    gain: float
    error: float

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float:
        """Standard deviation over seeds; NaN for a single one."""
        return _deviation(self.values)


def write_ablation(study: Study, directory: Path) -> list[Path]:
    """Writes ablation.csv and ablation.png where the study is one, and gives their paths."""
    gains = measure_gains(study)
    if not gains:
        return []
    paths = [directory / "ablation.csv", directory / "ablation.png"]
    _write_table(gains, get_objective_names(study)[0], paths[0])
    _write_picture(gains, get_objective_names(study)[0], paths[1])
    return paths


def measure_gains(study: Study) -> list[Gain]:
    """Return each ablation's gain, the largest first; [] without trials of the baseline."""
    values: dict[str, list[float]] = {}
    for trial in rank_trials(study):
        for name in NAMES:
            if name in trial.params:
                values.setdefault(str(trial.params[name]), []).append(trial.values[0])
    if BASELINE not in values:
        return []
    base = values[BASELINE]
    gains = [
        Gain(
            ablation=ablation,
            values=tuple(found),
            gain=float(np.mean(found) - np.mean(base)),
            error=_error(found, base),
        )
        for ablation, found in values.items()
    ]
    return sorted(gains, key=lambda gain: -gain.gain)


def _deviation(values: tuple[float, ...] | list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _error(values: list[float], base: list[float]) -> float:
    if values is base:
        return 0.0
    return float(
        np.sqrt(_deviation(values) ** 2 / len(values) + _deviation(base) ** 2 / len(base))
    )


def _write_table(gains: list[Gain], objective: str, path: Path) -> None:
    with atomic_file(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ablation", "seeds", objective, "deviation", "gain", "standard error"])
        for gain in gains:
            figures = (gain.mean, gain.deviation, gain.gain, gain.error)
            writer.writerow([gain.ablation, len(gain.values), *(f"{x:.5f}" for x in figures)])


def _write_picture(gains: list[Gain], objective: str, path: Path) -> None:
    figure = Figure(figsize=(8, 1 + 0.3 * len(gains)), dpi=100, layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(gains))[::-1]
    axes.barh(
        places,
        [gain.gain for gain in gains],
        xerr=np.nan_to_num([gain.error for gain in gains]),
        color=["tab:green" if gain.gain > 0 else "tab:red" for gain in gains],
        error_kw={"linewidth": 1},
    )
    axes.set_yticks(places, [gain.ablation for gain in gains])
    axes.axvline(0, color="black", linewidth=0.8)
    base = next(gain for gain in gains if gain.ablation == BASELINE)
    axes.set_xlabel(f"gain in {objective} over {base.mean:.4f}, with its standard error")
    axes.grid(axis="x", alpha=0.3)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png")
