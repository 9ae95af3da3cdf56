"""Schemas of `hydra/sweeper=framesweep` and of its pruners.

The samplers are those of hydra-optuna-sweeper, in the same group `hydra/sweeper/sampler`, and
two more.
"""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from hydra_plugins.hydra_optuna_sweeper.config import TPESamplerConfig


@dataclass
class PrunerConf:
    """A pruner decides from a trial's reported values whether to stop it.

    The fields below are the arguments of the Optuna class of the same name; see
    https://optuna.readthedocs.io/en/stable/reference/pruners.html.
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
class DefaultPrunerConf(HyperbandPrunerConf):
    """Hyperband, or the median pruner if one of its four arguments below is given.

    The median pruner was the default before, so that commands with its arguments still run it.
    """

    n_startup_trials: int | None = None
    n_warmup_steps: int | None = None
    interval_steps: int | None = None
    n_min_trials: int | None = None


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


@dataclass
class MultivariateTPESamplerConf(TPESamplerConfig):
    """TPE that samples all keys together and takes running trials into account.

    `hydra/sweeper/sampler=tpe` samples each key by itself, as hydra-optuna-sweeper does, so it
    does not learn which values suit each other. `group` does the same for conditional keys, and
    `constant_liar` keeps workers from sampling the same region.
    """

    multivariate: bool = True
    group: bool = True
    constant_liar: bool = True


@dataclass
class PriorTPESamplerConf(MultivariateTPESamplerConf):
    """`multivariate_tpe`, whose first trials are drawn near the values of the config.

    A key's own value, which the config has without the search, is usually a good one. See
    `search/_prior.py`.
    """

    prior_trials: int = 10
    """Number of finished trials after which half of the trials are drawn near the values of the
    config; before, it is more, and later less. 0 draws none of them so."""


@dataclass
class FramesweepSweeperConf:
    """Settings under `hydra.sweeper`; those of hydra-optuna-sweeper have the same names."""

    _target_: str = "hydra_plugins.framesweep_sweeper.sweeper.FramesweepSweeper"
    defaults: list[Any] = field(
        default_factory=lambda: [{"sampler": "tpe"}, {"pruner": "median"}]
    )

    sampler: Any = MISSING
    """How points are chosen; select one with `hydra/sweeper/sampler=...`."""
    pruner: PrunerConf = MISSING
    """How trials are stopped early; select one with `hydra/sweeper/pruner=...`."""
    direction: Any = "minimize"
    """`minimize` or `maximize`, or a list of these for several objectives."""
    storage: str | None = "sqlite:///outputs/studies.db"
    """Where studies are kept: the URL of a database, or the path of a `*.journal` file. With
    null, each folder of a sweep has its own `study.db`."""
    study_name: str | None = None
    """Name of the study; null derives it from the keys that are searched."""
    new: bool = False
    """Whether to start a new study, with a number added to the name."""
    n_trials: int = 20
    """Number of completed and pruned trials that the study shall have in total."""
    max_hours: float | None = None
    """Hours for which sweepers may work on the study in total; null for no limit. Trials that
    are running then stop with a checkpoint, and continue if the limit is raised."""
    stop_when: Any = None
    """A value of the objective that is good enough, or `stagnated` to stop after 30 trials in a
    row without a new best; null runs all `n_trials`."""
    trial_minutes: float | None = None
    """Minutes that a trial may take, resumed or not; after them it counts as pruned."""
    constraints: Any = None
    """Bounds of metrics: name -> "<=number" or ">=number". A point that is known to violate one
    is not run; other trials that violate one are never the best, and samplers avoid them."""
    n_jobs: Any = 1
    """Number of trials to run in parallel. `auto` fills the GPUs of this machine, or runs one
    trial at a time on a machine without GPUs."""
    devices_per_job: int = 1
    """Number of GPUs that each local worker uses."""
    jobs_per_device: int = 1
    """Number of trials that share a GPU with `n_jobs=auto`."""
    retries: int = 1
    """Number of further attempts after which a trial that keeps failing is given up. A wrong
    config and a job that returns no number are not tried again."""
    max_failure_rate: float = 0.5
    """Share of failed trials, 0 to 1, above which the sweep stops, beyond statistical doubt."""
    repeat_duplicates: bool = False
    """Whether to run a point that was already measured again, or to copy its result."""
    heartbeat: int = 60
    """Seconds between a running trial's heartbeats; without two of them it counts as dead."""
    stop_seconds: float = 60.0
    """Seconds that jobs are given after Ctrl-C to write their checkpoints."""
    params: dict[str, Any] | None = None
    """Search space: key -> sweep, or key -> {when: "key=value[,value]", space: sweep}."""
    custom_search_space: str | None = None
    """Dotted path of a function `(config, trial)` that suggests further parameters."""
    free_overrides: list[str] = field(default_factory=list)
    """Groups and keys whose overrides may change when a study is resumed."""
    renamed_keys: dict[str, str] = field(default_factory=dict)
    """Groups and keys that the application has renamed: earlier name -> present name. A study
    that was created under the earlier name is resumed under it."""
    extend: bool = False
    """Whether to continue a study whose space or fixed values were others: a study with a
    number added to the name extends it. Its sampler learns from the trials that are points of
    the new space with the same fixed values."""
    start_from: list[str] = field(default_factory=list)
    """Known points to try first: `defaults`, names of studies, whose trials also become the
    sampler's history where the spaces agree, and names that `point_finder` knows."""
    point_finder: Any = None
    """Config, with a `_target_`, of an object with a method `find(name, config)`, which returns
    the overrides or the values of a point by its name."""
    max_history: int = 2000
    """Number of complete and pruned trials from which TPE learns at most: the best and the
    latest. It bounds the time per trial; smaller studies are not affected."""
    preview: bool = False
    """Whether to print what the sweep would run, instead of running it."""
    previewer: Any = None
    """Config, with a `_target_`, of an object that describes jobs in a preview: `size(config)`
    and `estimate(extremes, num_trials, num_workers)`."""
    listener: Any = None
    """Config, with a `_target_`, of an object that is notified of the sweep's progress:
    `on_start(study, config)`, `on_trial_end(study, trial)`, `on_end(study, status)`."""


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
_options: tuple[tuple[str, str, Any], ...] = (
    ("hydra/sweeper", "framesweep", FramesweepSweeperConf),
    ("hydra/sweeper/sampler", "multivariate_tpe", MultivariateTPESamplerConf),
    ("hydra/sweeper/sampler", "prior_tpe", PriorTPESamplerConf),
    ("hydra/sweeper/pruner", "default", DefaultPrunerConf),
    *(("hydra/sweeper/pruner", name, node) for name, node in PRUNERS.items()),
)
for _group, _name, _node in _options:
    _store.store(group=_group, name=_name, node=_node, provider="framesweep_sweeper")
