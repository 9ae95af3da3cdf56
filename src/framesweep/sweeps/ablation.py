"""The gain of each ablation: a table and a figure of a study over `ablation` and `seed`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from optuna.study import Study

from framesweep.sweeps.tables import get_objective_names, rank_trials
from framesweep.system.atomic_files import write_csv
from framesweep.system.drawing.figures import save_png, to_label

GROUP_NAMES = ("ablation", "lever")
"""The config group that an ablation study searches, and its name in earlier studies."""

BASELINE = "none"
"""The option of that group that changes nothing."""


@dataclass(frozen=True, slots=True)
class Gain:
    """The objective of one ablation over its seeds, compared with the baseline.

    Attributes:
        values: the objective of each seed.
        gain: mean of the values minus the mean of the baseline's.
        error: standard error of the gain; NaN if either has a single seed, 0 for the baseline.
    """

    ablation: str
    values: tuple[float, ...]
    gain: float
    error: float

    @property
    def mean(self) -> float:
        """Return the mean over seeds."""
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float:
        """Return the standard deviation over seeds; NaN for a single seed."""
        return _compute_deviation(self.values)


def write_ablation(study: Study, directory: Path) -> list[Path]:
    """Write ablation.csv and ablation.png and return their paths; [] for any other study."""
    gains = measure_gains(study)
    if not gains:
        return []
    paths = [directory / "ablation.csv", directory / "ablation.png"]
    _write_table(gains, get_objective_names(study)[0], paths[0])
    _write_plot(gains, get_objective_names(study)[0], paths[1])
    return paths


def measure_gains(study: Study) -> list[Gain]:
    """Return the gain of each ablation, the largest first.

    Return [] if no trial of the baseline has completed, as there is nothing to compare with.
    """
    values: dict[str, list[float]] = {}
    for trial in rank_trials(study):
        for name in GROUP_NAMES:
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
            error=_compute_gain_error(found, base),
        )
        for ablation, found in values.items()
    ]
    return sorted(gains, key=lambda gain: -gain.gain)


def _compute_deviation(values: tuple[float, ...] | list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _compute_gain_error(values: list[float], base: list[float]) -> float:
    """Return the standard error of the difference of the means of two independent samples."""
    if values is base:
        return 0.0
    variances = (_compute_deviation(sample) ** 2 / len(sample) for sample in (values, base))
    return float(np.sqrt(sum(variances)))


def _write_table(gains: list[Gain], objective: str, path: Path) -> None:
    rows = [["ablation", "seeds", objective, "deviation", "gain", "standard error"]]
    for gain in gains:
        numbers = (gain.mean, gain.deviation, gain.gain, gain.error)
        rows.append([gain.ablation, str(len(gain.values)), *(f"{x:.5f}" for x in numbers)])
    write_csv(path, rows)


def _write_plot(gains: list[Gain], objective: str, path: Path) -> None:
    figure = Figure(figsize=(8, 1 + 0.3 * len(gains)), layout="constrained")
    axes = figure.subplots()
    positions = np.arange(len(gains))[::-1]  # the largest gain at the top
    axes.barh(
        positions,
        [gain.gain for gain in gains],
        xerr=np.nan_to_num([gain.error for gain in gains]),
        color=["tab:green" if gain.gain > 0 else "tab:red" for gain in gains],
        error_kw={"linewidth": 1},
    )
    axes.set_yticks(positions, [to_label(gain.ablation) for gain in gains])
    axes.axvline(0, color="black", linewidth=0.8)
    base = next(gain for gain in gains if gain.ablation == BASELINE)
    axes.set_xlabel(f"gain in {objective} over {base.mean:.4f}, with its standard error")
    axes.grid(axis="x", alpha=0.3)
    save_png(figure, path)
