"""What a preview of a sweep says about its runs: their parameters, time and memory."""

import math
from collections.abc import Sequence
from difflib import get_close_matches

import torch
from omegaconf import DictConfig, OmegaConf

from framesweep.config import RunConfig
from framesweep.config.composition import to_run_config
from framesweep.config.shell_words import join_command
from framesweep.data.readers.registry import build_corpus
from framesweep.data.store.frame_store import is_stored
from framesweep.data.store.prepared import find_prepared, open_prepared, prepare
from framesweep.data.store.run_store import find_cache
from framesweep.errors import ConfigError
from framesweep.evaluation.metrics import METRICS
from framesweep.models.build import NetworkBuilder
from framesweep.runs.cost import RunCost, measure_cost
from framesweep.runs.memory import explain_shortage
from framesweep.runs.validation import validate_across_groups
from framesweep.sweeps.context import remove_hydra, to_bare_key
from framesweep.system.cgroups import memory_limit
from framesweep.system.out_of_memory import is_out_of_memory
from hydra_plugins.framesweep_sweeper._pruner_schemas import NopPrunerConf

BYTES_PER_PARAMETER = 16
"""Weight, gradient and the two moments of Adam, in float32."""


NUM_PARAMS = "model/params"
PREPARING = ("data", "outputs", "recipe")
"""Groups whose overrides decide which corpus is prepared, and where."""


class SweepPreview:
    """Describes the runs of a sweep; the sweeper calls its methods for `sweep.preview=true`.

    It writes nothing. A corpus that has not been prepared is not read either, so its runs then
    have no sizes.
    """

    def __init__(self) -> None:
        self._prepare = ""

    def size(self, config: DictConfig) -> int | None:
        """Return the parameters of a run's network, or None if its corpus is not prepared.

        Raises:
            ConfigError, DataError: The run would be refused.
        """
        run_config = to_run_config(remove_hydra(config))
        validate_across_groups(run_config)
        builder = NetworkBuilder(run_config.model, run_config.data.context)
        folder = find_prepared(build_corpus(run_config.data), find_cache(run_config))
        if folder is None:
            self._prepare = prepare_command(config)
            return None
        prepared = open_prepared(folder)
        with torch.device("meta"):  # shapes without memory
            network = builder.build(prepared.feature_dim, len(prepared.phones))
        return sum(parameter.numel() for parameter in network.parameters())

    def require_metric(self, name: str) -> None:
        """Raise ConfigError if a constraint of the sweep names no metric."""
        if name in METRICS:
            return
        close = get_close_matches(name, METRICS, 1)
        fix = f"Did you mean {close[0]}?" if close else f"Choose from {', '.join(METRICS)}."
        rule = "must name a metric"
        raise ConfigError("hydra.sweeper.constraints", rule, found=name, fix=fix)

    def metrics(self, config: DictConfig, names: Sequence[str]) -> dict[str, float]:
        """Return those of the named metrics that are known before a run begins.

        That is the number of parameters, for which an unprepared corpus is prepared.

        Raises:
            ConfigError: The run would be refused.
            DataError: The corpus cannot be read.
        """
        if NUM_PARAMS not in names:
            return {}
        num_params = self.size(config)
        if num_params is None:
            run_config = to_run_config(remove_hydra(config))
            prepare(build_corpus(run_config.data), find_cache(run_config))
            num_params = self.size(config)
        return {} if num_params is None else {NUM_PARAMS: float(num_params)}

    def estimate(
        self,
        extremes: tuple[DictConfig, DictConfig] | None,
        num_trials: int,
        num_workers: int,
    ) -> list[str]:
        """Return lines on the time of the runs, and on whether they fit in memory.

        Args:
            extremes: The configs of the smallest and the largest network, or None if no size is
                known.
            num_trials: The number of runs.
            num_workers: How many of them are trained in parallel.
        """
        configs = [to_run_config(remove_hydra(config)) for config in extremes or ()]
        for config, run_config in zip(extremes or (), configs, strict=True):
            if not _has_store(run_config):
                self._prepare = prepare_command(config)
        if self._prepare:
            return [f"not known before the corpus is prepared. Run: {self._prepare}"]
        if extremes is None:
            return []
        limit, num_params = memory_limit(), self.size(extremes[1]) or 0
        if num_params * BYTES_PER_PARAMETER > limit:
            return [f"memory: {num_params:,} parameters do not fit in {_gib(limit)}"]
        try:
            costs = [measure_cost(config) for config in configs]
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return [str(explain_shortage(error, configs[1], in_sweep=True))]
        return [
            describe_time(
                [cost.seconds for cost in costs],
                num_trials,
                num_workers,
                prunes=_prunes(extremes[0]),
            ),
            describe_memory(costs[1], min(num_trials, num_workers)),
        ]


def prepare_command(config: DictConfig) -> str:
    """Return the command that prepares the corpus of a run."""
    overrides = [
        override
        for override in config.hydra.overrides.task
        if to_bare_key(override).partition(".")[0] in PREPARING
    ]
    return join_command(["framesweep", "prepare", *overrides])


def describe_time(
    seconds: Sequence[float], num_trials: int, num_workers: int, *, prunes: bool
) -> str:
    """Return a line on the time of a sweep.

    Args:
        seconds: Those of the smallest and of the largest run.
        num_trials: The number of runs.
        num_workers: How many of them are trained in parallel.
        prunes: Whether runs may be ended early.
    """
    low, high = sorted(seconds)
    each = f"{format_duration(low)} to {format_duration(high)} of training per trial"
    rounds = math.ceil(num_trials / num_workers)
    total = format_duration(rounds * (low + high) / 2)
    trials = f"{num_trials:,} trial{'s' * (num_trials != 1)}"
    workers = f"{num_workers} worker{'s' * (num_workers != 1)}"
    less = ", and less if trials are pruned" * prunes
    return f"time: {each}; about {total} for {trials} by {workers}{less}"


def _prunes(config: DictConfig) -> bool:
    """Return whether the sweep of a job may prune it; a grid and `pruner=none` never do."""
    pruner = OmegaConf.select(config, "hydra.sweeper.pruner")
    return pruner is not None and pruner.get("_target_") != NopPrunerConf._target_


def describe_memory(cost: RunCost, num_workers: int) -> str:
    """Return a line on whether the largest run fits in memory, once per worker."""
    needed, limit = cost.memory * num_workers, cost.memory_limit
    each = f" ({num_workers} workers with {_gib(cost.memory)} each)" * (num_workers > 1)
    verdict = "fits in" if needed <= limit else "does not fit in"
    return f"memory: {_gib(needed)}{each} {verdict} {_gib(limit)}"


def format_duration(seconds: float) -> str:
    """Return a duration in the unit that suits it: 12 s, 3.4 min, 1.2 h or 5 days."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.2g} s"


def _has_store(config: RunConfig) -> bool:
    return is_stored(config.data, build_corpus(config.data), find_cache(config))


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"
