"""What the user sees of a sweep: live lines on a terminal, plain lines in a log."""

import logging
import sys
import time
from dataclasses import dataclass, field
from typing import Protocol

from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.framesweep_sweeper.sweep._results import StudySummary, format_values
from hydra_plugins.framesweep_sweeper.trials import _trial_attrs

log = logging.getLogger("framesweep.sweep")


@dataclass
class RunningTrial:
    """A job under way in one slot."""

    number: int
    attempt: int
    params: str
    began: float = field(default_factory=time.monotonic)
    last: str = ""

    def update(self, trial: FrozenTrial | None) -> None:
        """Takes over the value that the job reported last."""
        if trial is not None and trial.last_step is not None:
            value = trial.intermediate_values[trial.last_step]
            self.last = f"step {trial.last_step}: {value:.4g}"

    def line(self) -> str:
        again = f" (attempt {self.attempt})" if self.attempt > 1 else ""
        seconds = format_duration(time.monotonic() - self.began)
        return f"trial {self.number}{again}  {seconds}  {self.last:14}  {self.params}"


class ProgressDisplay(Protocol):
    seconds: float
    """How old what is shown may be, where nothing of one's own has ended."""

    def log(self, line: str) -> None: ...
    def update(self, summary: StudySummary, slots: list[RunningTrial | None]) -> None: ...
    def close(self) -> None: ...


class PlainProgress:
    """One log line an event, and one for the study whenever it has changed."""

    seconds = 30.0

    def __init__(self) -> None:
        self._last = ""

    def log(self, line: str) -> None:
        log.info(line)

    def update(self, summary: StudySummary, slots: list[RunningTrial | None]) -> None:
        if summary.counts_text() != self._last:
            if self._last:
                log.info(summary.line())
            self._last = summary.counts_text()

    def close(self) -> None:
        pass


class LiveProgress:
    """A line for each worker and one for the study, redrawn in place; events pass above."""

    seconds = 0.5

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
        self._live.start()

    def log(self, line: str) -> None:
        self._live.console.print(line, markup=False, highlight=False)

    def update(self, summary: StudySummary, slots: list[RunningTrial | None]) -> None:
        from rich.text import Text

        lines = [
            f"worker {i}: {slot.line() if slot else 'idle'}"
            for i, slot in enumerate(slots, start=1)
        ]
        text = Text("\n".join([*lines, summary.line()]), no_wrap=True, overflow="ellipsis")
        self._live.update(text, refresh=True)

    def close(self) -> None:
        self._live.stop()


def open_progress_display() -> ProgressDisplay:
    return LiveProgress() if sys.stderr.isatty() else PlainProgress()


def describe_end(trial: FrozenTrial, seconds: float) -> str:
    """How one trial came out, as `trial 7 complete: 0.512 in 0:12`."""
    head = f"trial {trial.number}"
    reason = trial.user_attrs.get(_trial_attrs.REASON, "")
    why = f"{reason}: {trial.user_attrs.get(_trial_attrs.MESSAGE, '')}"
    match trial.state:
        case TrialState.COMPLETE:
            return f"{head} complete: {format_values(trial)} in {format_duration(seconds)}"
        case TrialState.PRUNED:
            return f"{head} pruned at step {trial.last_step} in {format_duration(seconds)}"
        case TrialState.FAIL:
            return f"{head} failed: {why}"
        case _ if _trial_attrs.read(trial).failures:
            attempt = _trial_attrs.read(trial).attempt
            return f"{head} failed: {why}; attempt {attempt} follows"
        case _:
            return f"{head} interrupted; it can go on"


def format_duration(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
