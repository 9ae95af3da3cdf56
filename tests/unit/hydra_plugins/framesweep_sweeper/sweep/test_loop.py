"""The loop of a sweep, with jobs that end at once."""

import pytest
from omegaconf import OmegaConf

from hydra_plugins.framesweep_sweeper.storage._heartbeats import HeartbeatThread
from hydra_plugins.framesweep_sweeper.sweep._loop import LoopSettings, SweepLoop
from hydra_plugins.framesweep_sweeper.sweep._progress import PlainProgress
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._trial_attrs import JobOutcome
from hydra_plugins.framesweep_sweeper.workers._pool import FinishedJob, Job
from hydra_plugins.framesweep_sweeper.workers._signals import StopSignal


class InstantPool:
    """Completes each job as soon as it is started."""

    outlives_sweeper = False

    def __init__(self, storage):
        self.storage = storage
        self.claims = {}
        self.ended = []

    def start(self, slot, job):
        claim = self.claims[job.number]
        outcome = JobOutcome(_trial_attrs.COMPLETE, (0.5,))
        _trial_attrs.write_outcome(self.storage, claim.trial_id, claim.serial, outcome)
        self.ended.append(FinishedJob(slot))

    def wait(self, seconds):
        ended, self.ended = self.ended, []
        return ended

    def close(self):
        pass


@pytest.fixture
def sweep(storage, make_queue):
    """Runs a call of the sweeper in which trials of these numbers cannot be composed."""

    def run(n_trials, unfit):
        pool = InstantPool(storage)

        def prepare(claim):
            if claim.number in unfit:
                raise ValueError(f"no config for trial {claim.number}")
            pool.claims[claim.number] = claim
            return Job(claim.number, [], OmegaConf.create())

        rules = LoopSettings(n_trials, 1, 0.9, repeat_duplicates=True, stop_seconds=1.0)
        queue, heartbeats = make_queue(retries=1), HeartbeatThread(storage, 60)
        sweep = SweepLoop(
            queue, pool, heartbeats, PlainProgress(), rules, prepare, lambda trial: None
        )
        sweep.run(StopSignal())
        return [trial.state.name for trial in queue.trials()]

    return run


def test_a_trial_that_cannot_be_composed_counts_as_failed(sweep):
    assert sweep(1, unfit={1}) == ["COMPLETE"]
    assert sweep(3, unfit={1}) == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]


def test_a_command_that_nothing_came_of_shows_why_and_blocks_nothing(sweep, make_queue):
    for _ in range(2):
        with pytest.raises(ValueError, match="no config for trial 0"):
            sweep(2, unfit={0})
    assert sweep(2, unfit={0}) == ["FAIL", "COMPLETE", "COMPLETE"]
    assert make_queue().last_failure() == "config: ValueError: no config for trial 0"
