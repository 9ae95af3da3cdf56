"""Follows a search: one MLflow parent, its best value, tables and plots as trials end."""

import logging
import threading
import time
import uuid
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from omegaconf import DictConfig

from framesweep.config import RunConfig
from framesweep.config.composition import to_run_config
from framesweep.errors import ConfigError
from framesweep.sweeps.context import PARENT_ATTR, to_bare_key
from framesweep.sweeps.grid_parent import without_hydra
from framesweep.system.atomic_files import write_text
from framesweep.tracking import Status, Tracker, open_tracker

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

log = logging.getLogger(__name__)

REST = 10.0
"""Files are refreshed again only after so many times the time that it took."""

UID_ATTR, UID_FILE = "uid", ".study"
"""Attribute of a study, and file in its folder with the same: a name may come again."""


class SearchParent:
    """Built from `hydra.sweeper.listener`.

    Of several sweepers on one study, one holds the parent; when it ends, another takes over.
    """

    def __init__(self) -> None:
        self._tracker: Tracker | None = None
        self._refresher: _Refresher | None = None

    def objectives(self, config: DictConfig) -> list[str]:
        """Names of what is optimised, one for each direction of the study."""
        return _objectives(to_run_config(without_hydra(config)))

    def on_start(self, study: "Study", config: DictConfig) -> None:
        """Opens the parent, made once a study, before any trial needs it."""
        self._config = to_run_config(without_hydra(config))
        self._directory = Path(config.hydra.sweep.dir).absolute()
        self._directory.mkdir(parents=True, exist_ok=True)
        with FileLock(self._directory / f"{UID_FILE}.lock"):
            claim_folder(study, self._directory)
        self._lock = FileLock(self._directory / ".parent.lock", timeout=0)
        self._open(study)

    def on_trial_end(self, study: "Study", trial: "FrozenTrial") -> None:
        if trial.state.name == "FAIL":
            self._tag_failure(study, trial)
        self._open(study)
        if self._refresher is not None:
            self._refresher.wanted.set()

    def on_end(self, study: "Study", status: Status) -> None:
        """Completes files and parent."""
        self._open(study)
        if self._tracker is not None and self._refresher is not None:
            self._refresher.close()
            self._tracker.finish(status)
            self._lock.release()

    def _open(self, study: "Study") -> None:
        """Opens the parent where nobody holds it, and keeps its id once that is known."""
        if self._tracker is None:
            try:
                self._lock.acquire()
            except Timeout:
                return
            self._tracker = self._open_parent(study)
            self._refresher = _Refresher(study, self._directory, self._tracker)
        run_id = self._tracker.run_id
        if run_id is not None and study.user_attrs.get(PARENT_ATTR) != run_id:
            study.set_user_attr(PARENT_ATTR, run_id)

    def _open_parent(self, study: "Study") -> Tracker:
        config = self._config
        if study.metric_names is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that naming metrics is experimental
                study.set_metric_names(_objectives(config))
        tracker = open_tracker(
            replace(config.tracking, run_name=study.study_name),
            Path(config.outputs),
            self._directory,
            run_id=study.user_attrs.get(PARENT_ATTR),
            tags={"study": study.study_name, "sweep": "search"},
            replace_lost=True,
        )
        space, fixed = study.user_attrs["search_space"], study.user_attrs["fixed_overrides"]
        tracker.log_params(
            {
                "objective": config.objective,
                **{f"search/{to_bare_key(key)}": value for key, value in space.items()},
                **{to_bare_key(key): value for key, value in fixed.items()},
            }
        )
        return tracker

    def _tag_failure(self, study: "Study", trial: "FrozenTrial") -> None:
        """Gives the failed trial's run, also one that was killed, its state and reason."""
        directory = self._directory / str(trial.number)
        tracker = open_tracker(
            self._config.tracking,
            Path(self._config.outputs),
            directory,
            parent_run_id=study.user_attrs.get(PARENT_ATTR),
            tags={
                "study": study.study_name,
                "trial": str(trial.number),
                "failure": str(trial.user_attrs.get("failure_reason", "")),
                "failure_message": str(trial.user_attrs.get("failure_message", "")),
            },
        )
        tracker.finish("FAILED")


def _objectives(config: RunConfig) -> list[str]:
    return [config.objective, *config.further_objectives]


def claim_folder(study: "Study", folder: Path) -> None:
    """Marks `folder` as the study's; to be called by one process at a time.

    Raises:
        ConfigError: it is of another study, as one that was deleted, or is kept elsewhere.
    """
    path = folder / UID_FILE
    uid = study.user_attrs.get(UID_ATTR)
    if path.exists():
        is_own = path.read_text(encoding="utf-8") == uid
    else:
        # A study with trials was begun before there were marks.
        is_own = bool(study.get_trials(deepcopy=False)) or not _is_used(folder)
    if not is_own:
        raise ConfigError(
            "hydra.sweep.dir",
            f"must not be the folder of another study named {study.study_name}",
            found=str(folder),
            fix="Move that folder away, or choose another hydra.sweeper.study_name.",
        )
    if not path.exists():
        # First in the study: a process that is killed in between leaves no stranger's folder.
        if uid is None:
            uid = uuid.uuid4().hex
            study.set_user_attr(UID_ATTR, uid)
        write_text(path, uid)


def _is_used(folder: Path) -> bool:
    """Whether anything but locks lies there."""
    return any(not path.name.startswith(".") for path in folder.iterdir())


class _Refresher:
    """Writes and logs a study's files in a thread, so that no worker waits for them."""

    def __init__(self, study: "Study", directory: Path, tracker: Tracker) -> None:
        self._study = study
        self._directory = directory
        self._tracker = tracker
        self._closing = False
        self._logged = 0
        self.wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="study files", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Writes all files a last time."""
        self._closing = True
        self.wanted.set()
        self._thread.join()
        self._refresh()

    def _run(self) -> None:
        while self.wanted.wait() and not self._closing:
            self.wanted.clear()
            began = time.monotonic()
            self._refresh()
            pause = REST * (time.monotonic() - began)
            end = time.monotonic() + pause
            while not self._closing and time.monotonic() < end:
                time.sleep(min(0.2, pause))

    def _refresh(self) -> None:
        from framesweep.sweeps.ablation import write_ablation
        from framesweep.sweeps.plots import write_plots
        from framesweep.sweeps.tables import track_best_value, write_best, write_table

        try:
            values = track_best_value(self._study)
            for count in range(self._logged, len(values)):
                self._tracker.log_epoch(count + 1, {"best_value": values[count]})
            self._logged = len(values)
            table, best = self._directory / "trials.csv", self._directory / "best.yaml"
            write_table(self._study, table)
            write_best(self._study, self._directory, best)
            self._tracker.log_artifact(table)
            self._tracker.log_artifact(best)
            for path in write_ablation(self._study, self._directory):
                self._tracker.log_artifact(path)
            for path in write_plots(self._study, self._directory / "plots"):
                self._tracker.log_artifact(path, "plots")
        except Exception as error:
            # The sweep must not end for a plot.
            log.warning("the study's tables and plots are behind (%s)", error)
