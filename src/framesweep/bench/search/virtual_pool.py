"""Runs the sweeper's jobs in virtual time: a job is a recorded training that is looked up."""

import heapq
import signal
from dataclasses import dataclass, field

import optuna
from optuna.study import Study

from framesweep.bench.search.table import Curve, RecordedTable
from hydra_plugins.framesweep_sweeper.job import CurrentTrial, TrialPruned
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._claim import Claim
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import JobOutcome
from hydra_plugins.framesweep_sweeper.workers._pool import FinishedJob, Job
from hydra_plugins.framesweep_sweeper.workers._signals import StopSignal


@dataclass
class _Training:
    """A training that runs in a slot."""

    slot: int
    trial: CurrentTrial
    curve: Curve
    epoch: int = 0


@dataclass
class VirtualPool:
    """A pool whose clock jumps to the next end of an epoch.

    Reports and pruning are those of a real job: each epoch is reported through the trial, and
    the job records its outcome in the study.

    Attributes:
        limit: virtual seconds after which the sweep is asked to stop.
        now: virtual seconds since the sweep's start.
        busy_seconds: virtual seconds that trainings took, of all slots.
    """

    table: RecordedTable
    study: Study
    stop: StopSignal
    limit: float
    now: float = 0.0
    busy_seconds: float = 0.0
    results: list[tuple[float, float]] = field(default_factory=list)
    num_pruned: int = 0
    claims: dict[int, Claim] = field(default_factory=dict)
    _events: list[tuple[float, int, _Training]] = field(default_factory=list)

    outlives_sweeper = True
    """Jobs need no time to stop."""

    def idle_share(self, n_jobs: int) -> float:
        """Return the share of the workers' time in which they ran no trial."""
        running = sum(self.now - (end - t.curve.seconds[t.epoch]) for end, _, t in self._events)
        return 1 - (self.busy_seconds + running) / (n_jobs * self.now)

    def start(self, slot: int, job: Job) -> None:
        claim = self.claims.pop(job.number)
        trial = CurrentTrial(
            study_name=self.study.study_name,
            number=claim.number,
            attempt=claim.attempt,
            is_resumed=claim.is_resumed,
            _trial_id=claim.trial_id,
            _serial=claim.serial,
            _study=self.study,
            _storage=self.study._storage,
        )
        self._schedule(_Training(slot, trial, self.table.look_up(claim.trial.params)))

    def wait(self, seconds: float) -> list[FinishedJob]:
        """Return the next job that ends, or none once the time is up.

        Args:
            seconds: real seconds, which are ignored: nothing here takes any.
        """
        while self._events:
            time, number, training = heapq.heappop(self._events)
            if time > self.limit:
                heapq.heappush(self._events, (time, number, training))
                break
            self.now = time
            if self._end_epoch(training):
                return [FinishedJob(training.slot)]
            self._schedule(training)
        self.now = self.limit
        self.stop.note(signal.SIGTERM, None)
        return []

    def _schedule(self, training: _Training) -> None:
        end = self.now + training.curve.seconds[training.epoch]
        heapq.heappush(self._events, (end, training.trial.number, training))

    def _end_epoch(self, training: _Training) -> bool:
        """Report an epoch; return whether the training has ended with it."""
        curve, trial = training.curve, training.trial
        self.busy_seconds += curve.seconds[training.epoch]
        training.epoch += 1
        is_last = training.epoch == len(curve.accuracies)
        is_pruned = False
        try:
            trial.report(curve.accuracies[training.epoch - 1], training.epoch)
        except TrialPruned:
            is_pruned = not is_last
        if is_pruned:
            self.num_pruned += 1
            outcome = JobOutcome(_trial_attrs.PRUNED)
        elif is_last:
            self.results.append((self.now, curve.value))
            outcome = JobOutcome(_trial_attrs.COMPLETE, (curve.value,))
        else:
            return False
        storage = self.study._storage
        _trial_attrs.write_outcome(storage, trial._trial_id, trial._serial, outcome)
        return True

    def signal(self, signum: int) -> None:
        pass

    def close(self) -> None:
        pass


def create_study(pruner: optuna.pruners.BasePruner) -> Study:
    """Return a new study in memory, whose objective is maximized."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.InMemoryStorage()
    return optuna.create_study(
        storage=storage, study_name="replay", direction="maximize", pruner=pruner
    )
