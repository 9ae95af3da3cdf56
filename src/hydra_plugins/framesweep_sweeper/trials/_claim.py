"""The right to run a trial."""

from dataclasses import dataclass

import optuna


@dataclass(frozen=True)
class Claim:
    """The right to run a trial, until it is settled or taken over.

    Attributes:
        trial: the trial, which suggests its parameters.
        serial: the number of the claim: how many times the trial has been claimed by now.
        attempt: 1, plus one for each attempt that failed.
    """

    trial: optuna.Trial
    serial: int
    attempt: int

    @property
    def number(self) -> int:
        """The trial's number in the study, from 0."""
        return self.trial.number

    @property
    def trial_id(self) -> int:
        """The trial's id in the storage."""
        return self.trial._trial_id

    @property
    def is_resumed(self) -> bool:
        """Whether an earlier job of the trial may have left a checkpoint."""
        return self.serial > 1
