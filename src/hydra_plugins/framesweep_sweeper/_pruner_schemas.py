"""Schemas of the options of `hydra/sweeper/pruner`."""

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING


@dataclass
class PrunerConf:
    """A pruner decides from a trial's reported values whether to stop it.

    The fields of an option are the arguments of the class that `_target_` names. For those of
    Optuna, see https://optuna.readthedocs.io/en/stable/reference/pruners.html.
    """

    _target_: str = MISSING


@dataclass
class MedianPrunerConf(PrunerConf):
    """Stop a trial whose best value so far is worse than the median of others at this step."""

    _target_: str = "optuna.pruners.MedianPruner"
    n_startup_trials: int = 5
    n_warmup_steps: int = 0
    interval_steps: int = 1
    n_min_trials: int = 1


@dataclass
class PercentilePrunerConf(PrunerConf):
    """Stop a trial that is not among the best `percentile` percent at this step."""

    _target_: str = "optuna.pruners.PercentilePruner"
    percentile: float = 25.0
    n_startup_trials: int = 5
    n_warmup_steps: int = 0
    interval_steps: int = 1
    n_min_trials: int = 1


@dataclass
class HyperbandPrunerConf(PrunerConf):
    """Run successive halving in several brackets (Li et al., 2018, arXiv:1603.06560)."""

    _target_: str = "optuna.pruners.HyperbandPruner"
    min_resource: int = 1
    max_resource: Any = "auto"
    reduction_factor: int = 3
    bootstrap_count: int = 0


@dataclass
class ExtrapolationPrunerConf(PrunerConf):
    """Stop a trial that would not become the best with the gain that others had from here on.

    The gain is the mean of those of the completed trials and `deviations` standard deviations.
    It is known once `n_startup_trials` of them have gone beyond this step.
    """

    _target_: str = "hydra_plugins.framesweep_sweeper.search._extrapolation.ExtrapolationPruner"
    n_startup_trials: int = 3
    deviations: float = 1.0


@dataclass
class DefaultPrunerConf(PrunerConf):
    """`extrapolation`, or the median pruner if one of the arguments that only it has is given.

    Those are the last three fields. The median pruner was the default before, so that commands
    with these arguments still run it.
    """

    _target_: str = ExtrapolationPrunerConf._target_
    deviations: float = ExtrapolationPrunerConf.deviations
    n_startup_trials: int | None = None
    n_warmup_steps: int | None = None
    interval_steps: int | None = None
    n_min_trials: int | None = None


MEDIAN_ONLY = ("n_warmup_steps", "interval_steps", "n_min_trials")
"""Arguments of the default pruner that select the median pruner."""


@dataclass
class SuccessiveHalvingPrunerConf(PrunerConf):
    """Run asynchronous successive halving (Li et al., 2020, arXiv:1810.05934)."""

    _target_: str = "optuna.pruners.SuccessiveHalvingPruner"
    min_resource: Any = "auto"
    reduction_factor: int = 4
    min_early_stopping_rate: int = 0
    bootstrap_count: int = 0


@dataclass
class PatientPrunerConf(PrunerConf):
    """Consult `wrapped_pruner` only after `patience` steps without a gain of `min_delta`.

    Without a wrapped pruner the trial is stopped after those steps.
    """

    _target_: str = "optuna.pruners.PatientPruner"
    wrapped_pruner: Any = None
    patience: int = 2
    min_delta: float = 0.0


@dataclass
class ThresholdPrunerConf(PrunerConf):
    """Stop a trial whose value leaves [`lower`, `upper`]; at least one bound is required."""

    _target_: str = "optuna.pruners.ThresholdPruner"
    lower: float | None = None
    upper: float | None = None
    n_warmup_steps: int = 0
    interval_steps: int = 1


@dataclass
class WilcoxonPrunerConf(PrunerConf):
    """Compare a trial with the best one by a signed-rank test over the steps.

    It suits steps that are independent problem instances, such as the folds of a
    cross-validation, but not the epochs of a learning curve.
    """

    _target_: str = "optuna.pruners.WilcoxonPruner"
    p_threshold: float = 0.1
    n_startup_steps: int = 2


@dataclass
class NopPrunerConf(PrunerConf):
    """Never stop a trial."""

    _target_: str = "optuna.pruners.NopPruner"


PRUNERS: dict[str, type[PrunerConf]] = {
    "extrapolation": ExtrapolationPrunerConf,
    "median": MedianPrunerConf,
    "percentile": PercentilePrunerConf,
    "hyperband": HyperbandPrunerConf,
    "successive_halving": SuccessiveHalvingPrunerConf,
    "patient": PatientPrunerConf,
    "threshold": ThresholdPrunerConf,
    "wilcoxon": WilcoxonPrunerConf,
    "none": NopPrunerConf,
}
