"""Writes a study's tables and plots, and keeps them up to date while its trials run."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from framesweep.sweeps.run_names import name_best
from framesweep.system.drawing.matplotlib_backend import import_matplotlib
from framesweep.tracking import Tracker
from framesweep.tracking.models.mlflow_model import NOTE_TAG

if TYPE_CHECKING:
    from optuna.study import Study

log = logging.getLogger(__name__)

TABLE_FILE, BEST_FILE = "trials.csv", "best.yaml"
"""Names of the table of all trials, and of the best ones with the commands that train them."""

PAUSE_FACTOR = 10.0
"""Length of the pause after writing the files, as a multiple of the time that it took.

The time grows with the number of trials; with this factor, the thread needs less than a tenth
of a core.
"""

WRITTEN_AGAIN = "the same command writes them again"
"""What to do about files that found no space: a search that is done trains nothing more."""


class StudyFiles:
    """Writes a study's files and logs them to its parent run.

    Args:
        study: The study.
        directory: The directory of its sweep.
        tracker: The tracker of the parent run.
        build_note: Returns the description of the parent run.
    """

    def __init__(
        self,
        study: "Study",
        directory: Path,
        tracker: Tracker,
        build_note: "Callable[[Study], str]",
    ) -> None:
        self._study = study
        self._directory = directory
        self._tracker = tracker
        self._build_note = build_note
        self._num_logged = 0

    def write_page(self) -> None:
        """Write and log the interactive plots, once, because they take five megabytes."""
        from framesweep.sweeps.study_figures import write_study_figures

        try:
            path = self._directory / "plots" / "plots.html"
            if write_study_figures(self._study, path):
                self._tracker.log_artifact(path, "plots")
        except Exception as error:
            log.warning(
                "The study's interactive plots could not be written (%s); %s",
                error,
                WRITTEN_AGAIN,
            )

    def write_and_log(self) -> None:
        """Write and log all other files, the best values and the description."""
        # Matplotlib takes a second to import, which would delay the first trial.
        import_matplotlib()
        from framesweep.sweeps.ablation import write_ablation
        from framesweep.sweeps.plots import write_plots
        from framesweep.sweeps.tables import write_best, write_table

        try:
            self._log_best_values()
            self._tracker.log_tags({NOTE_TAG: self._build_note(self._study)})
            table, best = self._directory / TABLE_FILE, self._directory / BEST_FILE
            write_table(self._study, table)
            write_best(self._study, self._directory, best)
            self._tracker.log_artifact(table)
            self._tracker.log_artifact(best)
            for path in write_ablation(self._study, self._directory):
                self._tracker.log_artifact(path)
            for path in write_plots(self._study, self._directory / "plots"):
                self._tracker.log_artifact(path, "plots")
        except Exception as error:
            # Neither a lost connection to the storage nor a plot may end the sweep.
            log.warning(
                "The study's tables and plots could not be updated (%s); %s",
                error,
                WRITTEN_AGAIN,
            )

    def _log_best_values(self) -> None:
        """Log the best value after each trial, also under the name it has in a trial's run.

        In a list of runs, the parent's row then has the winner's value in the same column. The
        steps follow those of the studies that this one extends, which have the same parent.
        """
        from framesweep.sweeps.tables import get_objective_names, track_best_value
        from hydra_plugins.framesweep_sweeper.search._study_identity import list_extended

        values = track_best_value(self._study)
        first = 1 + sum(len(track_best_value(each)) for each in list_extended(self._study))
        name = name_best(get_objective_names(self._study)[0])
        for index in range(self._num_logged, len(values)):
            value = values[index]
            self._tracker.log_epoch(first + index, {"best_value": value, name: value})
        self._num_logged = len(values)


class StudyFilesThread:
    """Writes a study's files and logs them to its parent run, from a thread.

    In the sweeper's own thread, workers that have ended their trial would wait for the plots
    before they get the next one.
    """

    def __init__(self, study: "Study", directory: Path, tracker: Tracker) -> None:
        from framesweep.sweeps.study_note import build_study_note

        self._files = StudyFiles(study, directory, tracker, build_study_note)
        self._closing = False
        self._requested = threading.Event()
        self._thread = threading.Thread(target=self._run, name="study files", daemon=True)
        self._thread.start()

    def request(self) -> None:
        """Ask for new files; requests during a pause are answered together after it."""
        self._requested.set()

    def close(self) -> None:
        """Stop the thread, and write all files a last time."""
        self._closing = True
        self._requested.set()
        self._thread.join()
        self._files.write_and_log()
        self._files.write_page()

    def _run(self) -> None:
        while self._requested.wait() and not self._closing:
            # Cleared before writing: a trial that ends meanwhile asks for another round.
            self._requested.clear()
            started = time.monotonic()
            self._files.write_and_log()
            pause = PAUSE_FACTOR * (time.monotonic() - started)
            end = time.monotonic() + pause
            while not self._closing and time.monotonic() < end:
                time.sleep(min(0.2, pause))
