"""The MLflow parent of a search: its params, best value, tables and plots."""

import logging
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf

from framesweep.config import RunConfig
from framesweep.config.command_line import where_options
from framesweep.config.composition import to_run_config
from framesweep.config.shell_words import join_command
from framesweep.errors import DirectoryInUseError
from framesweep.sweeps.context import PARENT_ATTR, remove_hydra, require_valid
from framesweep.sweeps.corpus import prepare_shared_corpus
from framesweep.sweeps.databases import require_separate_databases
from framesweep.sweeps.next_steps import list_next_steps
from framesweep.sweeps.study_files import StudyFilesThread
from framesweep.sweeps.study_folder import UID_FILE, claim_folder, require_folder_name
from framesweep.sweeps.winner import track_winner
from framesweep.system.locks.file_lock import hold_file_lock
from framesweep.system.locks.ownership import LAST_CLAIM
from framesweep.tracking import Status, Tracker, open_tracker, sync_ended_runs

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

log = logging.getLogger(__name__)

LATE_SECONDS = 10.0
"""How long a finished search tries to send the records that its trials could not send."""


class SearchParent:
    """Tracks a search from the sweeper's process; the sweeper calls its public methods.

    Several sweepers, on several machines, may work on one study, which has a single parent run.
    The sweeper that holds the lock in the study's folder tracks it. The operating system
    releases the lock of a process that ends in any way, so another sweeper takes over then.
    """

    def __init__(self) -> None:
        self._tracker: Tracker | None = None
        self._files: StudyFilesThread | None = None
        # In the sweeper's own thread, workers would wait for a server that is away.
        self._failures = ThreadPoolExecutor(1, "failed trials")

    def objectives(self, config: DictConfig) -> list[str]:
        """Return the names of the objectives, one for each direction of the study.

        The sweeper calls this before it creates the study.

        Raises:
            ConfigError: the study's name is a path, or its storage is the runs' database.
        """
        run_config = to_run_config(remove_hydra(config))
        if (name := OmegaConf.select(config, "hydra.sweeper.study_name")) is not None:
            require_folder_name(str(name))
        if (storage := OmegaConf.select(config, "hydra.sweeper.storage")) is not None:
            require_separate_databases(str(storage), run_config)
        return _list_objectives(run_config)

    def validate(self, config: DictConfig) -> None:
        """Check a trial's composed config before the study exists.

        Raises:
            ConfigError: a value breaks its rule.
        """
        require_valid(config)

    def prepare(self, config: DictConfig, keys: list[str]) -> None:
        """Prepare what all trials need, before the study exists.

        Args:
            config: the config that the trials have in common.
            keys: the keys that are searched.

        Raises:
            DataError: the corpus is missing, or breaks a rule.
        """
        prepare_shared_corpus(to_run_config(remove_hydra(config)), keys)

    def on_start(self, study: "Study", config: DictConfig) -> None:
        """Open the parent, once per study, before any trial needs its id.

        Raises:
            ConfigError: the study's folder belongs to another study.
            TrackingError: the parent cannot be opened.
        """
        self._config = to_run_config(remove_hydra(config))
        self._storage = str(config.hydra.sweeper.storage)
        self._directory = Path(config.hydra.sweep.dir).absolute()
        self._directory.mkdir(parents=True, exist_ok=True)
        with hold_file_lock(self._directory / f"{UID_FILE}.lock"):
            claim_folder(study, self._directory)
        self._lock = FileLock(self._directory / ".parent.lock", timeout=0)
        self._open_if_free(study)

    def on_trial_end(self, study: "Study", trial: "FrozenTrial") -> None:
        """Mark the run of a failed trial, and update the study's files."""
        if trial.state.name == "FAIL":
            self._failures.submit(self._tag_failure, study, trial)
        # The sweeper that held the parent may have been killed since.
        self._open_if_free(study)
        if self._files is not None:
            self._files.request()

    def on_end(self, study: "Study", status: Status) -> None:
        """Write the files a last time, log the winner's params, and end the parent.

        The parent's row in a list of runs has these in the same columns as the winner's own.
        MLflow never changes a param: if the study is continued and finds a better trial, the
        description and the best value follow, and the params remain those of the first winner.
        """
        from framesweep.sweeps.study_note import winner_params

        self._failures.shutdown()
        self._open_if_free(study)
        if self._tracker is not None and self._files is not None:
            self._files.close()
            if status == "FINISHED":
                self._tracker.log_params(winner_params(study))
            if status != "KILLED":
                self._track_winner(study)
            self._tracker.finish(status)
            self._lock.release()
        if status == "FINISHED" and self._config.tracking.backend == "mlflow":
            self._send_late_records()

    def next_steps(self, study: "Study") -> list[str]:
        """Return the commands that show and use the results of the study."""
        return list_next_steps(self._config, study.study_name, "trials", self._storage)

    def _open_if_free(self, study: "Study") -> None:
        """Open the parent unless another sweeper holds it, and store its id in the study.

        The id is not known yet if tracking could not be reached; each call looks again, so that
        later trials are nested under the parent.
        """
        if self._tracker is None:
            try:
                self._lock.acquire()
            except Timeout:
                return
            try:
                self._tracker = self._open_parent(study)
            except DirectoryInUseError:
                # Another sweeper that this one cannot see holds it, or `framesweep sync` does.
                self._lock.release()
                return
            self._files = StudyFilesThread(study, self._directory, self._tracker)
        run_id = self._tracker.run_id
        if run_id is not None and study.user_attrs.get(PARENT_ATTR) != run_id:
            study.set_user_attr(PARENT_ATTR, run_id)

    def _open_parent(self, study: "Study") -> Tracker:
        from framesweep.sweeps.study_note import search_params

        config = self._config
        if study.metric_names is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Optuna calls names of metrics experimental
                study.set_metric_names(_list_objectives(config))
        tracker = open_tracker(
            replace(config.tracking, run_name=study.study_name),
            Path(config.outputs),
            self._directory,
            run_id=find_parent_id(study),
            tags={"study": study.study_name, "sweep": "search"},
            # Somebody may delete the parent between two calls on the same study; the trials
            # that are still to come get a new one.
            replace_lost=True,
        )
        tracker.log_params(search_params(study, config.objective))
        return tracker

    def _track_winner(self, study: "Study") -> None:
        """Log the winner's model to the parent. A Pareto front has no winner."""
        from framesweep.sweeps.tables import rank_trials

        assert self._tracker is not None
        if len(study.directions) == 1:
            for winner in rank_trials(study)[:1]:
                directory = self._directory / str(winner.number)
                track_winner(self._tracker, self._config.tracking, directory)

    def _send_late_records(self) -> None:
        """Send what trials could not: their database was locked, or their server away."""
        unsent = sync_ended_runs(
            self._directory,
            Path(self._config.outputs),
            LATE_SECONDS,
            uri=self._config.tracking.uri,
        )
        if unsent:
            log.warning(
                "Records of %d trials could not be sent to tracking; send them with `%s`",
                len(unsent),
                join_command(["framesweep", "sync", *where_options(self._config)]),
            )

    def _tag_failure(self, study: "Study", trial: "FrozenTrial") -> None:
        """Give the run of a failed trial its status and reason.

        The trial's own process may have been killed before it could log either.
        """
        try:
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
                claim=LAST_CLAIM,
            )
            tracker.finish("FAILED")
        except Exception as error:
            log.warning(
                "The run of trial %d could not be marked as failed (%s)", trial.number, error
            )


def _list_objectives(config: RunConfig) -> list[str]:
    return [config.objective, *config.further_objectives]


def find_parent_id(study: "Study") -> str | None:
    """Return the id of the study's parent, which the studies that it extends share."""
    # Optuna takes seconds to import.
    from hydra_plugins.framesweep_sweeper.search._study_identity import list_extended

    ids = (each.user_attrs.get(PARENT_ATTR) for each in (study, *list_extended(study)))
    return next((run_id for run_id in ids if run_id), None)
