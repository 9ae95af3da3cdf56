"""Schemas of `hydra/sweeper=framesweep` and of its pruners.

The samplers are those of hydra-optuna-sweeper, in the same group `hydra/sweeper/sampler`.
"""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING


@dataclass
class PrunerConf:
    """Decides from a trial's reported values whether to stop it."""

    _target_: str = MISSING


@dataclass
class MedianPrunerConf(PrunerConf):
    """Stops a trial whose best value so far is worse than the median of others at the step."""

    _target_: str = "optuna.pruners.MedianPruner"
    n_startup_trials: int = 5
    n_warmup_steps: int = 0
    interval_steps: int = 1
    n_min_trials: int = 1


@dataclass
class PercentilePrunerConf(PrunerConf):
    """Keeps a trial while it is in the best `percentile` percent at the step."""

    _target_: str = "optuna.pruners.PercentilePruner"
    percentile: float = 25.0
    n_startup_trials: int = 5
    n_warmup_steps: int = 0
    interval_steps: int = 1
    n_min_trials: int = 1


@dataclass
class HyperbandPrunerConf(PrunerConf):
    """Successive halving in several brackets (Li et al., 2018)."""

    _target_: str = "optuna.pruners.HyperbandPruner"
    min_resource: int = 1
    max_resource: Any = "auto"
    reduction_factor: int = 3
    bootstrap_count: int = 0


@dataclass
class SuccessiveHalvingPrunerConf(PrunerConf):
    """Asynchronous successive halving (Li et al., 2020)."""

    _target_: str = "optuna.pruners.SuccessiveHalvingPruner"
    min_resource: Any = "auto"
    reduction_factor: int = 4
    min_early_stopping_rate: int = 0
    bootstrap_count: int = 0


@dataclass
class PatientPrunerConf(PrunerConf):
    """Lets `wrapped_pruner` (or, with none, itself) stop a trial after `patience` steps
    without a gain of `min_delta`."""

    _target_: str = "optuna.pruners.PatientPruner"
    wrapped_pruner: Any = None
    patience: int = 2
    min_delta: float = 0.0


@dataclass
class ThresholdPrunerConf(PrunerConf):
    """Stops a trial whose value leaves [lower, upper]; one of the two must be given."""

    _target_: str = "optuna.pruners.ThresholdPruner"
    lower: float | None = None
    upper: float | None = None
    n_warmup_steps: int = 0
    interval_steps: int = 1


@dataclass
class WilcoxonPrunerConf(PrunerConf):
    """Signed-rank test against the best trial, for steps that are independent problem
    instances, such as folds; it does not fit a learning curve."""

    _target_: str = "optuna.pruners.WilcoxonPruner"
    p_threshold: float = 0.1
    n_startup_steps: int = 2


@dataclass
class NopPrunerConf(PrunerConf):
    """Never stops a trial."""

    _target_: str = "optuna.pruners.NopPruner"


@dataclass
class FramesweepSweeperConf:
    """Settings under `hydra.sweeper`; those of hydra-optuna-sweeper keep their names."""

    _target_: str = "hydra_plugins.framesweep_sweeper.sweeper.FramesweepSweeper"
    defaults: list[Any] = field(
        default_factory=lambda: [{"sampler": "tpe"}, {"pruner": "median"}]
    )

    sampler: Any = MISSING
    """How points are chosen; `hydra/sweeper/sampler=...` picks one."""
    pruner: PrunerConf = MISSING
    """How trials are stopped; `hydra/sweeper/pruner=...` picks one."""
    direction: Any = "minimize"
    """minimize or maximize; a list for several objectives."""
    storage: str = "sqlite:///${hydra.runtime.cwd}/outputs/studies.db"
    """Where studies live: a database URL, or the path of a `*.journal` file."""
    study_name: str | None = None
    """Name of the study; null makes it from what is searched."""
    new: bool = False
    """Start the study afresh under a new name."""
    n_trials: int = 20
    """Total of completed and pruned trials that the study shall have."""
    n_jobs: int = 1
    """Trials to run at once."""
    retries: int = 1
    """Attempts after the first before a failed trial is left."""
    max_failure_rate: float = 0.5
    """Share of failed trials above which the sweep stops, once the sample is fair."""
    repeat_duplicates: bool = False
    """Run a point again that was already measured, instead of taking over its value."""
    heartbeat: int = 60
    """Seconds between a trial's signs of life; after twice as many it is taken for dead."""
    stop_seconds: float = 60.0
    """Seconds that jobs have, after Ctrl-C, to write their checkpoints."""
    params: dict[str, Any] | None = None
    """Search space: key -> sweep, or key -> {when: "key=value[,value]", space: sweep}."""
    custom_search_space: str | None = None
    """Dotted path of a function (config, trial) that suggests further parameters."""
    free_overrides: list[str] = field(default_factory=list)
    """Groups and keys whose overrides may differ from call to call of one study."""
    listener: Any = None
    """Target config of an object that follows the sweep; see `_settings.Listener`."""


PRUNERS: dict[str, type[PrunerConf]] = {
    "median": MedianPrunerConf,
    "percentile": PercentilePrunerConf,
    "hyperband": HyperbandPrunerConf,
    "successive_halving": SuccessiveHalvingPrunerConf,
    "patient": PatientPrunerConf,
    "threshold": ThresholdPrunerConf,
    "wilcoxon": WilcoxonPrunerConf,
    "none": NopPrunerConf,
}

_store = ConfigStore.instance()
_store.store(
    group="hydra/sweeper",
    name="framesweep",
    node=FramesweepSweeperConf,
    provider="framesweep_sweeper",
)
for _name, _node in PRUNERS.items():
    _store.store(
        group="hydra/sweeper/pruner", name=_name, node=_node, provider="framesweep_sweeper"
    )
