"""Hyperband for studies of many trials."""

from typing import Any

from optuna import Study
from optuna.pruners import HyperbandPruner
from optuna.trial import FrozenTrial


class QuickHyperbandPruner(HyperbandPruner):
    """A Hyperband pruner that computes the bracket of each trial once.

    Optuna's hashes the numbers of all trials of a study at every rung, which takes longer than
    all else that it does. The brackets stay the same. Should a version of Optuna have no such
    method, this one is never called.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._brackets: dict[int, int] = {}

    def _get_bracket_id(self, study: Study, trial: FrozenTrial) -> int:
        number = trial.number
        bracket = self._brackets.get(number)
        if bracket is None:
            bracket = super()._get_bracket_id(study, trial)
            # Until it knows its brackets, all trials are in the first one.
            if getattr(self, "_pruners", None):
                self._brackets[number] = bracket
        return bracket
