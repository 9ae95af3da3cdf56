"""Whether a point violates a constraint, as far as that is known before it is run."""

from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig
from optuna.storages import BaseStorage

from hydra_plugins.framesweep_sweeper.trials._claim import Claim
from hydra_plugins.framesweep_sweeper.trials._constraints import (
    Constraint,
    RejectedPointError,
    list_violations,
    write_constraints,
)


class PointCheck:
    """Rejects points that violate a constraint, before a worker is given them.

    Args:
        storage: the storage of the study.
        constraints: the constraints of the search.
        previewer: the object of `hydra.sweeper.previewer`, or None. Its method
            `metrics(config, names)`, if it has one, returns those metrics of a job that are
            known before it runs; an error of it is one of the config.
    """

    def __init__(
        self, storage: BaseStorage, constraints: tuple[Constraint, ...], previewer: Any
    ) -> None:
        self._storage = storage
        self._constraints = constraints
        self._measure: Callable[[DictConfig, list[str]], dict[str, float]] | None = getattr(
            previewer, "metrics", None
        )

    def __call__(self, claim: Claim, config: DictConfig) -> None:
        """Check a claimed trial.

        Args:
            claim: the trial.
            config: the config of its job.

        Raises:
            RejectedPointError: it violates a constraint, which has been recorded.
        """
        if not self._constraints or self._measure is None:
            return
        metrics = self._measure(config, [one.metric for one in self._constraints])
        if violations := list_violations(self._constraints, metrics):
            write_constraints(self._storage, claim.trial_id, self._constraints, metrics)
            raise RejectedPointError(metrics, violations)
