"""What is logged of a run that ends before its last epoch."""

from collections.abc import Iterator
from contextlib import contextmanager

from framesweep.config import RunConfig
from framesweep.errors import Interrupted, NonFiniteLossError, RankLostError
from framesweep.runs.reporting.run_log import log_resume_hint
from framesweep.system.locks.ownership import Ownership
from framesweep.system.out_of_memory import is_out_of_memory
from framesweep.tracking import Tracker
from hydra_plugins.framesweep_sweeper import TrialPruned, current_trial, still_owned


@contextmanager
def log_early_end(
    tracker: Tracker, ownership: Ownership, config: RunConfig, name: str
) -> Iterator[None]:
    """Log why the run `name` ends early, unless another process has taken it over.

    The status of such a run is its successor's, whatever this process has failed at.
    """
    try:
        yield
    except Exception as error:
        if not (ownership.is_current() and still_owned()):
            tracker.abandon()
        elif isinstance(error, TrialPruned) or _is_stopped_by_time(error):
            # MLflow has no status for it. In a list of runs, KILLED has another sign than runs
            # that trained to their end, and the name says why.
            tracker.log_tags({"pruned": "true", "mlflow.runName": f"[pruned] {name}"})
            tracker.finish("KILLED")
        elif isinstance(error, Interrupted | RankLostError):
            log_resume_hint(tracker, config, ownership.directory)
        elif isinstance(error, NonFiniteLossError):
            tracker.log_tags({"failure": "non-finite loss"})
        elif is_out_of_memory(error):
            tracker.log_tags({"failure": "out of memory"})
        raise


def _is_stopped_by_time(error: Exception) -> bool:
    """Return whether the trial has taken its time, at which it is stopped like by Ctrl-C."""
    trial = current_trial()
    return isinstance(error, Interrupted) and trial is not None and trial.is_out_of_time
