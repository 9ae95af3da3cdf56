"""What the sweeper and its jobs record about a trial in addition to what Optuna keeps.

Before a job runs, its sweeper *claims* the trial: it adds one to the trial's claim number and
signs with its own process. The job then signs as the *worker* of that claim, and at its end it
records the *outcome*. Each record carries the number of its claim. Whoever holds an older
number has been superseded, and its records no longer count. (Such a number is known as a
fencing token: https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html.) From
the second claim on, a record also has a key of its own: a worker that is suspended, and wakes
up between a check and a write, cannot replace its successor's record.

The outcome is written by the job itself, because the sweeper that started it may be dead by
then; the next sweeper finds the outcome in the storage. The keys and the form of the values
must not change, since studies outlive versions.
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
"""System attributes of a trial, which Optuna does not show to users."""

REASON = "failure_reason"
MESSAGE = "failure_message"
ATTEMPTS = "attempts"
DUPLICATE_OF = "duplicate_of"
PRUNED_BY = "pruned_by"
"""User attributes of a trial, for tables and dashboards."""

COMPLETE = TrialState.COMPLETE.name
PRUNED = TrialState.PRUNED.name
FAILED = TrialState.FAIL.name
INTERRUPTED = "INTERRUPTED"
"""States of a job's outcome. Optuna has none for an interrupted trial that can be resumed."""


@dataclass(frozen=True)
class JobOutcome:
    """How a job ended.

    Attributes:
        state: COMPLETE, PRUNED, FAIL or INTERRUPTED.
        values: the objectives of a complete job.
        reason: of a failed job, one of the words in `_failures`; of a pruned one, what stopped
            it if that was not the pruner.
        message: of a failed job, one line.
    """

    state: str
    values: tuple[float, ...] = ()
    reason: str = ""
    message: str = ""


@dataclass(frozen=True)
class TrialAttrs:
    """The records of one trial.

    Attributes:
        claims: the number of times that the trial has been claimed.
        sweeper: the process that claimed it last; None if it was never claimed.
        worker: the process that runs the last claim; None before the job has started.
        outcome: how the job of the last claim ended; None while it has not.
        failures: the reason and the message of each failed attempt.
    """

    claims: int
    sweeper: Process | None
    worker: Process | None
    outcome: JobOutcome | None
    failures: tuple[tuple[str, str], ...]

    @property
    def attempt(self) -> int:
        """The number of the current attempt, from 1. Interruptions do not count."""
        return len(self.failures) + 1

    def is_abandoned(self) -> bool:
        """Return whether the sweeper and the worker were on this machine and have both ended.

        A worker may outlive its sweeper, and the other way round: with a launcher for clusters
        they run on different machines.
        """
        holders = [p for p in (self.sweeper, self.worker) if p is not None]
        return bool(holders) and all(p.is_known_dead() for p in holders)


def read(trial: FrozenTrial) -> TrialAttrs:
    """Return the records of a trial; those of earlier claims are left out."""
    attrs = trial.system_attrs
    claim = attrs.get(CLAIM, {"serial": 0, "sweeper": None})
    serial = claim["serial"]
    worker = _select_claim(attrs, WORKER, serial)
    outcome = _select_claim(attrs, OUTCOME, serial)
    if outcome is not None:
        outcome["values"] = tuple(outcome["values"])
    return TrialAttrs(
        claims=serial,
        sweeper=Process.load(claim["sweeper"]) if claim["sweeper"] else None,
        worker=Process.load(worker) if worker else None,
        outcome=JobOutcome(**outcome) if outcome else None,
        failures=tuple((reason, message) for reason, message in attrs.get(FAILURES, [])),
    )


def describe_failure(trial: FrozenTrial) -> str:
    """Return the reason and the message of the last attempt of a trial that failed."""
    return f"{trial.user_attrs.get(REASON)}: {trial.user_attrs.get(MESSAGE)}"


def write_claim(storage: BaseStorage, trial_id: int, serial: int, sweeper: Process) -> None:
    """Record that `sweeper` claims the trial, for the time number `serial`."""
    record: Any = {"serial": serial, "sweeper": sweeper.dump()}
    storage.set_trial_system_attr(trial_id, CLAIM, record)


def write_worker(storage: BaseStorage, trial_id: int, serial: int, worker: Process) -> None:
    """Record that `worker` runs the job of claim number `serial`."""
    record = {"serial": serial, **worker.dump()}
    _write_of_claim(storage, trial_id, WORKER, serial, record)


def write_outcome(
    storage: BaseStorage, trial_id: int, serial: int, outcome: JobOutcome
) -> None:
    """Record how the job of claim number `serial` ended."""
    record = {"serial": serial, **asdict(outcome), "values": list(outcome.values)}
    _write_of_claim(storage, trial_id, OUTCOME, serial, record)


def write_failure(
    storage: BaseStorage, trial_id: int, attrs: TrialAttrs, outcome: JobOutcome
) -> None:
    """Add a failed attempt to those in `attrs`."""
    failures = [*attrs.failures, (outcome.reason, outcome.message)]
    storage.set_trial_system_attr(trial_id, FAILURES, failures)
    storage.set_trial_user_attr(trial_id, REASON, outcome.reason)
    storage.set_trial_user_attr(trial_id, MESSAGE, outcome.message)


def write_pruned_by(storage: BaseStorage, trial_id: int, outcome: JobOutcome) -> None:
    """Record what pruned a trial, unless it was the pruner."""
    if outcome.reason:
        storage.set_trial_user_attr(trial_id, PRUNED_BY, outcome.reason)


def _write_of_claim(
    storage: BaseStorage, trial_id: int, key: str, serial: int, record: Any
) -> None:
    # Earlier versions, which may share the study, read the first of the two keys only.
    for name in {key: None, _key_of_claim(key, serial): None}:
        storage.set_trial_system_attr(trial_id, name, record)


def _key_of_claim(key: str, serial: int) -> str:
    return key if serial <= 1 else f"{key}:{serial}"


def _select_claim(attrs: dict[str, Any], key: str, serial: int) -> dict[str, Any] | None:
    """Return a claim's record without the claim's number, or None if there is none.

    Earlier versions kept the records of all claims under one key.
    """
    record = attrs.get(_key_of_claim(key, serial), attrs.get(key))
    if record is None or record["serial"] != serial:
        return None
    return {key: value for key, value in record.items() if key != "serial"}
