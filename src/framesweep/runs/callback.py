"""Forwards the events of training to the console, to tracking and to the sweep."""

import logging

from framesweep.runs.best_metrics import BestSoFar
from framesweep.runs.experiment import Experiment
from framesweep.system.console import RunBar, log_epoch
from framesweep.system.signals import StopRequest
from framesweep.tracking import Tracker
from hydra_plugins.framesweep_sweeper import (
    TrialPruned,
    record_metrics,
    report,
    require_owned,
    restore,
)

log = logging.getLogger(__name__)


class RunCallback:
    """The callback of a run; its methods are those of `training.callbacks`."""

    def __init__(self, experiment: Experiment, tracker: Tracker, stop: StopRequest) -> None:
        self._plan = experiment.plan
        self._tracker = tracker
        objectives = (experiment.plan.objective, *experiment.config.further_objectives)
        self._best = BestSoFar(objectives, maximize=experiment.plan.maximize)
        self._bar = RunBar(experiment.plan.epochs)
        self.stop_signal = stop

    def on_restore(self, history: list[dict[str, float]]) -> None:
        if history:
            log.info("resuming after epoch %d", len(history))
        # A crash may have come between a checkpoint and the logging of its metrics, so they are
        # logged again. Tracking stores a metric of a step only once.
        for epoch, metrics in enumerate(history, start=1):
            record_metrics(metrics)
            self._log(epoch, metrics)
        objective = self._plan.objective
        restore({epoch: metrics[objective] for epoch, metrics in enumerate(history, start=1)})

    def on_step(self, epoch: int, step: int, num_steps: int) -> None:
        self._bar.step(epoch, step, num_steps)
        self._tracker.require_open(wait=False)

    def on_values(self, loss: float, lr: float) -> None:
        self._bar.values(loss, lr)

    def on_evaluate(self, epoch: int) -> None:
        self._bar.evaluate(epoch)

    def on_epoch(self, epoch: int, metrics: dict[str, float], *, is_last: bool) -> None:
        self._bar.close()
        require_owned()
        log_epoch(epoch, self._plan.epochs, metrics)
        self._tracker.require_open(wait=True)
        self._log(epoch, metrics)
        record_metrics(metrics)
        try:
            report(metrics[self._plan.objective], step=epoch)
        except TrialPruned:
            # To prune a trial that has been trained to its end would save nothing, and it could
            # not be the best one.
            if not is_last:
                raise

    def _log(self, epoch: int, metrics: dict[str, float]) -> None:
        # The objective comes first: MLflow's page that compares runs opens on the first metric.
        self._tracker.log_epoch(epoch, self._best.update(metrics) | metrics)

    def close(self) -> None:
        self._bar.close()
