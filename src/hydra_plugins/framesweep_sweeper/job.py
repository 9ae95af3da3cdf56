"""What a job that is swept over can do: report its progress, and ask about its trial.

This module is imported by every application that reports, swept over or not, so it imports
Optuna only once a trial is running.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hydra_plugins.framesweep_sweeper.trials._time_limit import TimeLimit

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial


class TrialPruned(Exception):  # noqa: N818 - Optuna's name for it
    """The trial is unpromising. A job must let this pass, so that the sweeper sees it."""

    exit_code = 0


@dataclass
class CurrentTrial:
    """The trial that runs in this process.

    Attributes:
        study_name: the name of its study.
        number: its number in the study, from 0; also the name of its directory.
        attempt: 1, plus one for each attempt that failed.
        is_resumed: whether an earlier job of the trial was started in the same directory, where
            it may have left a checkpoint.
        metrics: the metrics that this job has recorded, the latest of each name.
    """

    study_name: str
    number: int
    attempt: int
    is_resumed: bool
    _trial_id: int = field(repr=False)
    _serial: int = field(repr=False)
    _study: "Study" = field(repr=False)
    _storage: "BaseStorage" = field(repr=False)
    _limit: TimeLimit = field(default_factory=TimeLimit, repr=False)
    metrics: dict[str, float] = field(default_factory=dict, repr=False)

    @property
    def is_out_of_time(self) -> bool:
        """Whether the trial has taken `hydra.sweeper.trial_minutes`, so that it is stopped."""
        return self._limit.ends_trial

    @property
    def token(self) -> int:
        """The number of the claim under which this job runs.

        Each claim of a trial has a greater one than those before (a fencing token).
        """
        return self._serial

    def still_owned(self) -> bool:
        """Return whether the trial still belongs to this job, by the study's storage."""
        from hydra_plugins.framesweep_sweeper._errors import SupersededError

        try:
            self.require_owned()
        except SupersededError:
            return False
        return True

    def require_owned(self) -> None:
        """Check that the trial still belongs to this job.

        Raises:
            SupersededError: another worker has taken over the trial.
        """
        from hydra_plugins.framesweep_sweeper.trials._trial_reader import read_progress

        self._check_claim(read_progress(self._storage, self._trial_id))

    def _check_claim(self, trial: "FrozenTrial") -> None:
        from hydra_plugins.framesweep_sweeper._errors import SupersededError
        from hydra_plugins.framesweep_sweeper.trials import _trial_attrs

        if _trial_attrs.read(trial).claims != self._serial or trial.state.is_finished():
            raise SupersededError(f"trial {self.number} was taken over by another worker")

    def set_user_attr(self, key: str, value: Any) -> None:
        """Store a `value` that JSON can represent with the trial, for tables and dashboards."""
        self._storage.set_trial_user_attr(self._trial_id, key, value)

    def study_attr(self, key: str) -> Any:
        """Return the value that is stored with the study under `key`, or None."""
        return self._study.user_attrs.get(key)

    @property
    def params(self) -> dict[str, Any]:
        """The searched keys, each with the value chosen for this trial."""
        return self._storage.get_trial(self._trial_id).params

    def report(self, value: float, step: int) -> None:
        """Report the objective after `step`; see the function `report` of this module.

        Raises:
            SupersededError: another worker has taken over the trial.
            TrialPruned: the study's pruner considers the trial unpromising, or it has taken
                its time.
        """
        from hydra_plugins.framesweep_sweeper.trials._trial_reader import report_value

        trial = report_value(
            self._storage, self._trial_id, step, float(value), self._check_claim
        )
        self._limit.record(self._storage, self._trial_id)
        if self.is_out_of_time:
            raise TrialPruned(f"trial {self.number} has taken its time at step {step}")
        if len(self._study.directions) > 1:
            return  # Optuna prunes studies with a single objective only
        # An earlier attempt may have reported later steps than this one. The pruner compares
        # trials at the last step, so it is shown only the steps up to the current one.
        trial = copy.copy(trial)
        earlier = {s: v for s, v in trial.intermediate_values.items() if s < step}
        trial.intermediate_values = {**earlier, step: float(value)}
        if self._study.pruner.prune(self._study, trial):
            raise TrialPruned(f"trial {self.number} pruned at step {step}")

    def restore(self, values: Mapping[int, float]) -> None:
        """Report the steps that are missing; see the function `restore` of this module."""
        known = self._storage.get_trial(self._trial_id).intermediate_values
        for step, value in values.items():
            if step not in known:
                self._storage.set_trial_intermediate_value(self._trial_id, step, float(value))


_current: CurrentTrial | None = None


def current_trial() -> CurrentTrial | None:
    """Return the trial that runs in this process, or None outside of a sweep."""
    return _current


def report(value: float, step: int) -> None:
    """Report the objective after `step`. Outside of a sweep this has no effect.

    Args:
        value: the objective, which the sweeper maximizes or minimizes.
        step: the number of the epoch, or of any other step at which trials are compared.

    Raises:
        TrialPruned: the study's pruner considers the trial unpromising.
    """
    if _current is not None:
        _current.report(value, step)


def restore(values: Mapping[int, float]) -> None:
    """Report the steps of a checkpoint that an earlier attempt could not report before it died.

    A job that resumes from a checkpoint calls this once, before it reports further steps. It
    never prunes. Outside of a sweep it has no effect.

    Args:
        values: the objective after each step that the checkpoint includes.
    """
    if _current is not None:
        _current.restore(values)


def record_metrics(metrics: Mapping[str, float]) -> None:
    """Record metrics by name, for the constraints of the sweep. Outside of a sweep this has no
    effect.

    A job may call it as often as it likes: the value recorded last counts, and is stored when
    the job ends.
    """
    if _current is not None:
        _current.metrics.update(metrics)


def still_owned() -> bool:
    """Return whether the trial that runs in this process still belongs to it.

    It does not if this process was considered dead, for example because it was suspended, and
    another one has taken the trial over. Outside of a sweep the result is True.
    """
    return _current is None or _current.still_owned()


def require_owned() -> None:
    """Raise SupersededError, which a job must let pass, unless `still_owned`."""
    if _current is not None:
        _current.require_owned()


def set_current_trial(trial: CurrentTrial | None) -> None:
    """Set the trial that runs in this process. The sweeper calls this around each job."""
    global _current  # noqa: PLW0603
    _current = trial
