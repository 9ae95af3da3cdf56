"""Selects the params that matter most, which plots pair with each other."""

from collections.abc import Callable

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

MAX_PARAMS = 3
"""Most params that are selected; a matrix of more panels cannot be read."""


def select_important_params(
    study: Study, target: Callable[[FrozenTrial], float] | None
) -> list[str]:
    """Return the params that explain the objective best, the most important first.

    Params with the same value in all completed trials are left out, since they have no axis.

    Args:
        target: The objective; None for that of a study with a single one.

    Raises:
        RuntimeError, ValueError: Too few trials have completed.
    """
    importances = optuna.importance.get_param_importances(study, target=target)
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    varied = [
        name for name in importances if len({str(trial.params.get(name)) for trial in done}) > 1
    ]
    return varied[:MAX_PARAMS]
