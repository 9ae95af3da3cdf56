"""Finds studies and their best trials after a search."""

from pathlib import Path

import optuna
from optuna.exceptions import OptunaError
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial
from sqlalchemy.exc import SQLAlchemyError

from framesweep.config.paths import sqlite_path, sqlite_url
from framesweep.credentials import scrub
from framesweep.errors import TrackingError
from framesweep.sweeps.study_folder import require_folder_name
from framesweep.sweeps.tables import rank_trials

JOURNAL_SUFFIX = ".journal"


def load_study(name: str, storage: str | None, outputs: Path) -> Study:
    """Return the study `name`.

    Args:
        storage: `hydra.sweeper.storage` of the search, a URL or the path of a journal; None for
            `studies.db` in `outputs`.

    Raises:
        TrackingError: the storage does not exist, cannot be read, or has no such study.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = storage or sqlite_url(outputs.absolute() / "studies.db")
    path = sqlite_path(url) or (None if "://" in url else Path(url).expanduser())
    if path is not None and "://" in url:
        url = sqlite_url(path)
    # Optuna would create the file.
    if path is not None and not path.exists():
        raise TrackingError(path, "must exist", fix="Has any search been run there yet?")
    try:
        is_journal = url.endswith(JOURNAL_SUFFIX)
        backend = JournalStorage(JournalFileBackend(str(path))) if is_journal else url
        names = optuna.get_all_study_names(backend)
        if name not in names:
            raise TrackingError(
                "study",
                f"must be in {scrub(url)}",
                found=name,
                fix=f"Its studies are: {', '.join(sorted(names)) or 'none'}.",
            )
        return optuna.load_study(study_name=name, storage=backend)
    except (OptunaError, SQLAlchemyError, ImportError, ValueError, OSError) as error:
        reason = str(error).strip().split("\n")[0]
        raise TrackingError(
            scrub(url), f"must be a storage of Optuna studies ({reason})"
        ) from None


def select_best_trials(study: Study, top: int) -> list[FrozenTrial]:
    """Return the `top` best trials, the best first.

    Raises:
        TrackingError: no trial has completed.
    """
    trials = rank_trials(study)[:top]
    if not trials:
        raise TrackingError(f"study {study.study_name}", "must have a completed trial")
    return trials


def get_trial_directory(study: Study, trial: FrozenTrial, outputs: Path) -> Path:
    """Return the directory in which the trial ran, with its config and checkpoints.

    Raises:
        ConfigError: the study's name is a path. Its storage may come from anybody.
    """
    require_folder_name(study.study_name)
    return outputs.absolute() / "sweeps" / study.study_name / str(trial.number)
