"""Schemas of `hydra/sweeper=framesweep` and of its samplers, and the options in Hydra's store.

The samplers are those of hydra-optuna-sweeper, in the same group `hydra/sweeper/sampler`, and
two more.
"""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from hydra_plugins.framesweep_sweeper._pruner_schemas import (
    PRUNERS,
    DefaultPrunerConf,
    PrunerConf,
)
from hydra_plugins.hydra_optuna_sweeper.config import TPESamplerConfig


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
    ordered_choices: bool = True
    """Whether three or more numbers, as `choice(5,15,25)`, are sampled by their order.
    Otherwise they are as different as names."""


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
    """Minutes that a trial may take from the start of its job on, resumed or not, loading
    included; after them it counts as pruned."""
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
