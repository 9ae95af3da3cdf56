"""A Hydra sweeper on Optuna: pruning, asynchronous workers, and studies that can be resumed.

A job that is swept over needs only this:

    from hydra_plugins.framesweep_sweeper import report

    report(accuracy, step=epoch)  # raises TrialPruned; has no effect outside of a sweep

The packages build on each other in this order, the lowest first: `storage` and `search`,
`trials`, `job`, `workers`, `sweep`. Modules whose names begin with an underscore are private.
That prefix is also what keeps Hydra from importing them: at each start of each application it
looks for plugins by importing every other module of `hydra_plugins`.
"""

from hydra_plugins.framesweep_sweeper.job import (
    CurrentTrial,
    TrialPruned,
    current_trial,
    report,
    restore,
)

__all__ = ["CurrentTrial", "TrialPruned", "current_trial", "report", "restore"]
__version__ = "0.1.0"
