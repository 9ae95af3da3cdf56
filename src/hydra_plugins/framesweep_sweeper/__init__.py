"""A Hydra sweeper on Optuna: pruning, asynchronous workers, and studies that can be resumed.

A job that is swept over needs only this:

    from hydra_plugins.framesweep_sweeper import report

    report(accuracy, step=epoch)  # raises TrialPruned; has no effect outside of a sweep

A worker that was suspended may find, when it wakes up, that its trial was taken over. `report`
then raises SupersededError. A job that writes files or logs elsewhere calls `require_owned`
before it does so; `current_trial().token` grows with each claim of the trial, so that a storage
that remembers it can refuse an earlier one.

The packages build on each other in this order, the lowest first: `storage` and `search`,
`trials`, `job`, `workers`, `sweep`. Modules whose names begin with an underscore are private.
That prefix is also what keeps Hydra from importing them: at each start of each application it
looks for plugins by importing every other module of `hydra_plugins`.
"""

from hydra_plugins.framesweep_sweeper._errors import SupersededError, SweepError
from hydra_plugins.framesweep_sweeper.job import (
    CurrentTrial,
    TrialPruned,
    current_trial,
    record_metrics,
    report,
    require_owned,
    restore,
    still_owned,
)
from hydra_plugins.framesweep_sweeper.trials._process import Process

__all__ = [
    "CurrentTrial",
    "Process",
    "SupersededError",
    "SweepError",
    "TrialPruned",
    "current_trial",
    "record_metrics",
    "report",
    "require_owned",
    "restore",
    "still_owned",
]
__version__ = "0.1.0"
