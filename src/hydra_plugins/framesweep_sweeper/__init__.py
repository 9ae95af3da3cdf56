"""A Hydra sweeper on Optuna that prunes, has no barrier, survives and resumes.

A job that is swept needs this much of it:

    from hydra_plugins.framesweep_sweeper import report

    report(accuracy, step=epoch)      # raises TrialPruned; outside a sweep it does nothing
"""

from hydra_plugins.framesweep_sweeper.job import (
    CurrentTrial,
    TrialPruned,
    current_trial,
    report,
    restore,
)

__all__ = ["CurrentTrial", "TrialPruned", "current_trial", "report", "restore"]
