"""Replays a search of hydra-optuna-sweeper on the recorded trainings, through its own loop."""

import logging
import tempfile
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from framesweep.bench.search.replayed import Replay
from framesweep.bench.search.table import RecordedTable
from hydra_plugins.framesweep_sweeper._hydra import instantiate_allowed


def replay_stock(table: RecordedTable, n_jobs: int, seed: int, n_trials: int) -> Replay:
    """Search with hydra-optuna-sweeper as shipped, in batches of `n_jobs`.

    Its launcher looks up the trainings of a batch, as if it ran them in parallel. The sweeper
    waits for all of them before it starts the next batch.
    """
    import optuna

    from hydra_plugins.hydra_optuna_sweeper._impl import OptunaSweeperImpl
    from hydra_plugins.hydra_optuna_sweeper.config import TPESamplerConfig

    sampler = instantiate_allowed(
        OmegaConf.structured(TPESamplerConfig(seed=seed)), "optuna.samplers.*"
    )
    sweeper: Any = OptunaSweeperImpl(
        sampler=sampler,
        direction="maximize",
        storage=None,
        study_name=None,
        n_trials=n_trials,
        n_jobs=n_jobs,
        max_failure_rate=0.0,
        custom_search_space=None,
        params=OmegaConf.create(table.list_sweeps(as_intervals=True)),
    )
    sweeper.launcher = launcher = _VirtualLauncher(table)
    sweeper.hydra_context = SimpleNamespace()  # it must not be None, but is not used
    logging.getLogger("hydra_plugins.hydra_optuna_sweeper").setLevel(logging.WARNING)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        sweeper.config = OmegaConf.create({"hydra": {"sweep": {"dir": folder}}})
        sweeper.sweep([])
    return Replay(
        results=sorted(launcher.results),
        num_trials=n_trials,
        num_pruned=0,
        search_seconds=(time.process_time() - began) / n_trials,
        idle_share=1 - launcher.busy_seconds / (n_jobs * launcher.now),
        seconds=launcher.now,
    )


class _VirtualLauncher:
    """Looks up the trainings of a batch, and counts the time until the last one ends."""

    def __init__(self, table: RecordedTable) -> None:
        self._table = table
        self.now = self.busy_seconds = 0.0
        self.results: list[tuple[float, float]] = []

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> list[JobReturn]:
        curves = [self._table.look_up(self._parse(overrides)) for overrides in job_overrides]
        durations = [sum(curve.seconds) for curve in curves]
        values = [curve.value for curve in curves]
        self.results += [(self.now + s, v) for s, v in zip(durations, values, strict=True)]
        self.now += max(durations)
        self.busy_seconds += sum(durations)
        return [JobReturn(_return_value=v, status=JobStatus.COMPLETED) for v in values]

    def _parse(self, overrides: Sequence[str]) -> dict[str, Any]:
        """Return the values of overrides, each of the type of its key's levels."""
        texts = dict(override.split("=", 1) for override in overrides)
        return {key: type(levels[0])(texts[key]) for key, levels in self._table.axes.items()}
