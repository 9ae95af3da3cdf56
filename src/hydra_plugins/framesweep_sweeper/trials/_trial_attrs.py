"""What sweeper and job write on a trial, beside what Optuna itself keeps.

A trial is *claimed* by a sweeper, which counts its claims. The job that then runs notes itself
as the *worker* of that claim and, at its end, the *outcome*. Whoever holds an older claim has
been superseded. So an outcome is never lost with the sweeper that waited for it.
"""

from dataclasses import asdict, dataclass
from typing import Any

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper.trials._process import Process

CLAIM = "framesweep:claim"
WORKER = "framesweep:worker"
OUTCOME = "framesweep:outcome"
FAILURES = "framesweep:failures"

REASON = "failure_reason"
MESSAGE = "failure_message"
ATTEMPTS = "attempts"
DUPLICATE_OF = "duplicate_of"

COMPLETE = TrialState.COMPLETE.name
PRUNED = TrialState.PRUNED.name
FAILED = TrialState.FAIL.name
INTERRUPTED = "INTERRUPTED"


@dataclass(frozen=True)
class JobOutcome:
    """How a job ended: `state` is COMPLETE, PRUNED, FAIL or INTERRUPTED."""

    state: str
    values: tuple[float, ...] = ()
    reason: str = ""
    message: str = ""


@dataclass(frozen=True)
class TrialAttrs:
    """The notes on one trial.

    Attributes:
        claims: how often it has been claimed.
        sweeper: who claimed it last; None if nobody.
        worker: who runs the last claim; None before it has begun.
        outcome: how the last claim ended; None while it has not.
        failures: (reason, message) of each failed attempt.
    """

    claims: int
    sweeper: Process | None
    worker: Process | None
    outcome: JobOutcome | None
    failures: tuple[tuple[str, str], ...]

    @property
    def attempt(self) -> int:
        return len(self.failures) + 1

    def is_abandoned(self) -> bool:
        """Whether everybody known to answer for the trial has died on this host."""
        holders = [p for p in (self.sweeper, self.worker) if p is not None]
        return bool(holders) and all(p.is_known_dead() for p in holders)


def read(trial: FrozenTrial) -> TrialAttrs:
    attrs = trial.system_attrs
    claim = attrs.get(CLAIM, {"serial": 0, "sweeper": None})
    serial = claim["serial"]
    worker = _of_claim(attrs.get(WORKER), serial)
    outcome = _of_claim(attrs.get(OUTCOME), serial)
    if outcome is not None:
        outcome["values"] = tuple(outcome["values"])
    return TrialAttrs(
        claims=serial,
        sweeper=Process.load(claim["sweeper"]) if claim["sweeper"] else None,
        worker=Process.load(worker) if worker else None,
        outcome=JobOutcome(**outcome) if outcome else None,
        failures=tuple((reason, message) for reason, message in attrs.get(FAILURES, [])),
    )


def write_claim(storage: BaseStorage, trial_id: int, serial: int, sweeper: Process) -> None:
    note: Any = {"serial": serial, "sweeper": sweeper.dump()}
    storage.set_trial_system_attr(trial_id, CLAIM, note)


def write_worker(storage: BaseStorage, trial_id: int, serial: int, worker: Process) -> None:
    note = {"serial": serial, **worker.dump()}
    storage.set_trial_system_attr(trial_id, WORKER, note)


def write_outcome(
    storage: BaseStorage, trial_id: int, serial: int, outcome: JobOutcome
) -> None:
    note = {"serial": serial, **asdict(outcome), "values": list(outcome.values)}
    storage.set_trial_system_attr(trial_id, OUTCOME, note)


def write_failure(
    storage: BaseStorage, trial_id: int, record: TrialAttrs, bad: JobOutcome
) -> None:
    failures = [*record.failures, (bad.reason, bad.message)]
    storage.set_trial_system_attr(trial_id, FAILURES, failures)
    storage.set_trial_user_attr(trial_id, REASON, bad.reason)
    storage.set_trial_user_attr(trial_id, MESSAGE, bad.message)


def _of_claim(note: dict[str, Any] | None, serial: int) -> dict[str, Any] | None:
    if note is None or note["serial"] != serial:
        return None
    return {key: value for key, value in note.items() if key != "serial"}
