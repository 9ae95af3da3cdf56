"""What a job that is swept can do: report, and know its trial. Cheap to import."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study


class TrialPruned(Exception):  # noqa: N818 - Optuna's name for it
    """The trial is not worth going on with; to be let through, for the sweeper to see."""

    exit_code = 0


@dataclass
class CurrentTrial:
    """The trial that runs in this process.

    Attributes:
        study_name: its study.
        number: from 0 in the study; also the name of the trial's directory.
        attempt: 1, and one more for each attempt that failed.
        is_resumed: whether an earlier attempt has begun in the same directory.
    """

    study_name: str
    number: int
    attempt: int
    is_resumed: bool
    _trial_id: int = field(repr=False)
    _serial: int = field(repr=False)
    _study: "Study" = field(repr=False)
    _storage: "BaseStorage" = field(repr=False)

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keeps a JSON-able `value` with the trial."""
        self._storage.set_trial_user_attr(self._trial_id, key, value)

    def study_attr(self, key: str) -> Any:
        """A value kept with the study under `key`; None where there is none."""
        return self._study.user_attrs.get(key)

    @property
    def params(self) -> dict[str, Any]:
        """What was searched: key -> the value chosen."""
        return self._storage.get_trial(self._trial_id).params

    def report(self, value: float, step: int) -> None:
        """See `report` of this module."""
        from hydra_plugins.framesweep_sweeper._errors import SupersededError
        from hydra_plugins.framesweep_sweeper.trials import _trial_attrs

        trial = self._storage.get_trial(self._trial_id)
        if _trial_attrs.read(trial).claims != self._serial or trial.state.is_finished():
            raise SupersededError(f"trial {self.number} was taken over by another worker")
        self._storage.set_trial_intermediate_value(self._trial_id, step, float(value))
        if len(self._study.directions) > 1:
            return
        # An earlier attempt may have come further: judge by the steps up to this one.
        trial = copy.copy(trial)
        earlier = {s: v for s, v in trial.intermediate_values.items() if s < step}
        trial.intermediate_values = {**earlier, step: float(value)}
        if self._study.pruner.prune(self._study, trial):
            raise TrialPruned(f"trial {self.number} pruned at step {step}")

    def restore(self, values: Mapping[int, float]) -> None:
        """See `restore` of this module."""
        known = self._storage.get_trial(self._trial_id).intermediate_values
        for step, value in values.items():
            if step not in known:
                self._storage.set_trial_intermediate_value(self._trial_id, step, float(value))


_current: CurrentTrial | None = None


def current_trial() -> CurrentTrial | None:
    """The trial that runs in this process; None outside of a sweep."""
    return _current


def report(value: float, step: int) -> None:
    """Reports the objective after `step`; outside of a sweep it does nothing.

    Raises:
        TrialPruned: the sweep's pruner has seen enough of this trial.
    """
    if _current is not None:
        _current.report(value, step)


def restore(values: Mapping[int, float]) -> None:
    """Makes good what was not reported when an earlier attempt died: step -> objective.

    For a job that goes on from a checkpoint; it never prunes. Outside of a sweep it does
    nothing.
    """
    if _current is not None:
        _current.restore(values)


def set_current_trial(trial: CurrentTrial | None) -> None:
    """Called by the sweeper's own task around each job."""
    global _current  # noqa: PLW0603
    _current = trial
