"""Shows a run in Weights & Biases, or writes it for `wandb sync` where there is no server.

W&B would also record the command line, the environment, the git remote and the console, all of
which may contain credentials. All of that is switched off; what the config and the tags contain
has been cleaned before it is sent here.
"""

import os
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framesweep.config.shell_words import join_command
from framesweep.tracking.mirrors.base import MirroredRun, MirrorRecord, Notify
from framesweep.tracking.mirrors.logged_steps import LoggedSteps

if TYPE_CHECKING:
    import wandb

INIT_SECONDS, FINISH_SECONDS = 30.0, 15.0
"""How long W&B's server may take to accept the run, and to receive its last data."""

MAX_NAME_LENGTH = 128
FORBIDDEN_IN_PROJECT = re.compile(r"[/\\#?%:]")
"""Characters that a project's name must not contain."""

EXIT_CODES = {"FINISHED": 0, "FAILED": 1, "KILLED": 130}
"""How W&B learns how a run ended; it calls all but 0 failed."""

SUMMARY_ONLY = ("best/",)
"""Beginnings of metrics that have one value per run."""


class WandbMirror:
    """A run of W&B, with the epoch as its step.

    W&B refuses a step below the current one. Metrics of the best epoch, which are known when
    all epochs have been logged, therefore go into the run's summary.
    """

    def __init__(self, run: MirroredRun, notify: Notify) -> None:
        self._steps = LoggedSteps(run.state_file("wandb"))
        known = self._steps.attributes
        known.setdefault("id", uuid.uuid4().hex)
        # A trial that is resumed by itself does not know its sweep any more.
        known.setdefault("group", run.group)
        known.setdefault("role", run.role)
        self._step = self._steps.last
        self._run = _start(run, known, notify)
        self._steps.save()

    def write(self, record: MirrorRecord) -> None:
        """Log a record; see `Mirror`."""
        if record["kind"] == "metrics":
            self._write_metrics(record["step"], record["metrics"])
        elif record["kind"] == "params":
            self._update_config(record["params"])
        elif record["kind"] == "tags":
            self._update_config({f"tags.{k}": v for k, v in record["tags"].items()})

    def close(self, status: str | None) -> None:
        """Finish the run; see `Mirror`."""
        self._run.finish(exit_code=EXIT_CODES.get(status or "FAILED", 1))

    def _update_config(self, values: dict[str, Any]) -> None:
        self._run.config.update(values, allow_val_change=True)

    def _write_metrics(self, step: int, metrics: dict[str, float]) -> None:
        # W&B measures the machine itself, and has steps for epochs only.
        wanted = {k: v for k, v in metrics.items() if not k.startswith("system/")}
        new = self._steps.select_new(step, wanted)
        single = {k: v for k, v in new.items() if k.startswith(SUMMARY_ONLY)}
        if step < self._step:
            single = new
        if series := {k: v for k, v in new.items() if k not in single}:
            self._run.log(series, step=step)
            self._step = step
        if single:
            self._run.summary.update(single)
        if new:
            self._steps.add(step, new)


def _start(run: MirroredRun, known: dict[str, str | None], notify: Notify) -> "wandb.Run":
    """Start or resume the run, offline if W&B's server does not accept it."""
    import wandb

    options: dict[str, Any] = {
        "id": known["id"],
        "group": _shorten(known["group"]),
        "job_type": known["role"],
        "name": _shorten(run.name),
        "project": os.environ.get("WANDB_PROJECT") or _project(run.experiment),
        "dir": run.directory,
        "resume": "allow",
    }
    try:
        started = wandb.init(**options, settings=_settings(run))
    except wandb.errors.Error as error:
        reason = str(error).strip().split("\n")[0]
        started = wandb.init(**options, mode="offline", settings=_settings(run))
        notify("warning", f"the run is written offline, because W&B refused it: {reason}")
    if started.settings.mode != "online":
        # W&B's folder of a run holds its files in a folder `files`.
        command = join_command(["wandb", "sync", str(Path(started.dir).parent)])
        notify("info", f"offline; send it with: {command}")
    elif started.url:
        notify("info", started.url)
    return started


def _settings(run: MirroredRun) -> "wandb.Settings":
    import wandb

    return wandb.Settings(
        console="off",
        disable_git=True,
        save_code=False,
        disable_job_creation=True,
        silent=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_disable_stats=not run.system_metrics,
        init_timeout=INIT_SECONDS,
        finish_timeout=FINISH_SECONDS,
    )


def _project(experiment: str) -> str:
    return FORBIDDEN_IN_PROJECT.sub("_", experiment)[:MAX_NAME_LENGTH]


def _shorten(text: str | None) -> str | None:
    return None if text is None else text[:MAX_NAME_LENGTH]
