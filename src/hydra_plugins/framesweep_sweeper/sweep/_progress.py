"""What a user sees of a sweep: a live display in a terminal, plain lines in a log."""

import logging
import time
from dataclasses import dataclass, field
from typing import Protocol, Self

from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper._terminal import shows_bars
from hydra_plugins.framesweep_sweeper.sweep._results import (
    StudySummary,
    format_params,
    format_values,
)
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs
from hydra_plugins.framesweep_sweeper.trials._claim import Claim

log = logging.getLogger(__name__)


@dataclass
class RunningTrial:
    """A trial that runs in a slot.

    Attributes:
        number: the trial's number.
        attempt: the number of the attempt, from 1.
        params: the trial's parameters as text.
        began: when the job was started, in seconds of the monotonic clock.
        last: the value that the job reported last, as text.
    """

    number: int
    attempt: int
    params: str
    began: float = field(default_factory=time.monotonic)
    last: str = ""

    @classmethod
    def of(cls, claim: Claim) -> Self:
        """Return the trial of a claim whose job starts now."""
        return cls(claim.number, claim.attempt, format_params(claim.trial.params))

    def update(self, trial: FrozenTrial | None) -> None:
        """Take over the value that the job reported last."""
        if trial is not None and trial.last_step is not None:
            value = trial.intermediate_values[trial.last_step]
            self.last = f"step {trial.last_step}: {value:.4g}"

    def format_line(self) -> str:
        """Return the trial in a line."""
        again = f" (attempt {self.attempt})" if self.attempt > 1 else ""
        seconds = format_duration(time.monotonic() - self.began)
        return f"trial {self.number}{again}  {seconds}  {self.last:14}  {self.params}"


class ProgressDisplay(Protocol):
    """Shows the progress of a sweep."""

    seconds: float
    """How often the state of the study should be read, if none of one's own trials ends."""

    def log(self, line: str) -> None:
        """Show an event, in a line that stays."""
        ...

    def log_start(self, line: str) -> None:
        """Show that a trial has started for the first time."""
        ...

    def log_end(self, line: str, params: str) -> None:
        """Show how a job of a trial with these parameters has ended."""
        ...

    def update(self, summary: StudySummary, slots: list[RunningTrial | None]) -> None:
        """Show the state of the study, and the trial in each slot."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


class PlainProgress:
    """Writes one log line per trial, when it ends, with its parameters and the study's counts.

    Where nobody redraws lines, as in a notebook or a log file, they would be too many
    otherwise. A line for the study alone follows only if other sweepers ended its trials.
    """

    seconds = 30.0

    def __init__(self) -> None:
        self._counts = ""
        self._ended: list[str] = []  # written with the next counts

    def log(self, line: str) -> None:
        self._flush()
        log.info(line)

    def log_start(self, line: str) -> None:
        pass

    def log_end(self, line: str, params: str) -> None:
        self._flush()
        self._ended.append(f"{line}: {params}" if params else line)

    def update(self, summary: StudySummary, slots: list[RunningTrial | None]) -> None:
        counts = summary.format_counts()
        if self._ended:
            log.info("%s  [%s]", self._ended.pop(), summary.format_line())
        elif self._counts not in ("", counts):
            # The first summary only repeats the line with which the sweep starts.
            log.info(summary.format_line())
        self._counts = counts

    def close(self) -> None:
        self._flush()

    def _flush(self) -> None:
        while self._ended:
            log.info(self._ended.pop())


class LiveProgress:
    """Redraws a line for each slot and one for the study in place; events scroll by above."""

    seconds = 0.5

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
        self._live.start()

    def log(self, line: str) -> None:
        self._live.console.print(line, markup=False, highlight=False)

    def log_start(self, line: str) -> None:
        self.log(line)

    def log_end(self, line: str, params: str) -> None:
        self.log(line)

    def update(self, summary: StudySummary, slots: list[RunningTrial | None]) -> None:
        from rich.text import Text

        lines = [
            f"worker {i}: {slot.format_line() if slot else 'idle'}"
            for i, slot in enumerate(slots, start=1)
        ]
        text = "\n".join([*lines, summary.format_line()])
        self._live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)

    def close(self) -> None:
        self._live.stop()


def open_progress_display() -> ProgressDisplay:
    """Return a live display if lines can be replaced, else one that writes log lines."""
    return LiveProgress() if shows_bars() else PlainProgress()


def describe_start(claim: Claim) -> str:
    """Return that a trial starts, such as `trial 7 resumed, attempt 2: x=1`."""
    verb = "resumed" if claim.is_resumed else "started"
    attempt = f", attempt {claim.attempt}" if claim.attempt > 1 else ""
    return f"trial {claim.number} {verb}{attempt}: {format_params(claim.trial.params)}"


def describe_end(trial: FrozenTrial, seconds: float) -> str:
    """Return how a job of a trial ended, such as `trial 7 complete: 0.512 in 0:12`.

    Args:
        trial: the trial after the job has ended.
        seconds: how long the job took.
    """
    head = f"trial {trial.number}"
    reason = trial.user_attrs.get(_trial_attrs.REASON, "")
    why = f"{reason}: {trial.user_attrs.get(_trial_attrs.MESSAGE, '')}"
    match trial.state:
        case TrialState.COMPLETE:
            return f"{head} complete: {format_values(trial)} in {format_duration(seconds)}"
        case TrialState.PRUNED:
            by = trial.user_attrs.get(_trial_attrs.PRUNED_BY)
            where = f"by {by}" if by else f"at step {trial.last_step}"
            return f"{head} pruned {where} in {format_duration(seconds)}"
        case TrialState.FAIL:
            return f"{head} failed: {why}"
        case _ if _trial_attrs.read(trial).failures:
            attempt = _trial_attrs.read(trial).attempt
            return f"{head} failed: {why}; attempt {attempt} follows"
        case _:
            return f"{head} interrupted; it can be resumed"


def format_duration(seconds: float) -> str:
    """Return seconds as h:mm:ss, or as m:ss below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
