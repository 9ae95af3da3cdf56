"""Finds studies and their best trials after a search."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import optuna
from omegaconf import OmegaConf
from optuna.exceptions import OptunaError
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError
from yaml import YAMLError

from framesweep.catalog.directories import is_sweep
from framesweep.config.paths import (
    STUDIES_FILE,
    find_moved,
    find_outputs,
    sqlite_path,
    sqlite_url,
)
from framesweep.credentials import HIDDEN, scrub
from framesweep.errors import TrackingError
from framesweep.sweeps.study_folder import require_folder_name
from framesweep.sweeps.tables import (
    describe_states,
    find_pareto_front,
    locate_trial,
    rank_trials,
)
from hydra_plugins.framesweep_sweeper._hydra import MULTIRUN
from hydra_plugins.framesweep_sweeper.search._study_identity import (
    CONSTRAINTS_KEY,
    EXTENDS,
    FIXED,
)
from hydra_plugins.framesweep_sweeper.storage._database import describe_error
from hydra_plugins.framesweep_sweeper.storage._storage import JOURNAL_SUFFIX, make_absolute
from hydra_plugins.framesweep_sweeper.trials._constraints import is_rejected


def load_study(name: str, storage: str | None, outputs: Path) -> Study:
    """Return a study.

    Args:
        name: its name, or the folder of its sweep.
        storage: `hydra.sweeper.storage` of the search, a URL or the path of a journal; None for
            `studies.db` in `outputs`, or for what the folder names.

    Raises:
        TrackingError: the storage does not exist, cannot be read, or has no such study.
    """
    folder = Path(name).absolute()
    if name and is_sweep(folder):
        name, storage = folder.name, storage or read_storage(folder)
        outputs = find_outputs(folder) or outputs
    with _open_storage(storage, outputs) as backend:
        names = optuna.get_all_study_names(backend)
        if name not in names:
            raise TrackingError(
                "study",
                f"must be in {_describe_storage(storage, outputs)}",
                found=name,
                fix=f"Its studies are: {', '.join(sorted(names)) or 'none'}.",
            )
        return optuna.load_study(study_name=name, storage=backend)


@dataclass(frozen=True, slots=True)
class StudySummary:
    """A study in a list.

    Attributes:
        started: when its first trial started, in ISO 8601; empty before that.
        num_trials: the number of trials, without points that were rejected before they ran.
        best_value: the best value of a single objective; None without a completed trial that
            satisfies the constraints.
    """

    name: str
    started: str
    num_trials: int
    best_value: float | None


def list_studies(storage: str | None, outputs: Path) -> list[StudySummary]:
    """Return the studies in a storage, the newest first.

    Raises:
        TrackingError: the storage does not exist or cannot be read.
    """
    with _open_storage(storage, outputs) as backend:
        found = optuna.get_all_study_summaries(backend)
        listed = [_summarize(one, backend) for one in found]
    return sorted(listed, key=lambda one: one.started, reverse=True)


def _summarize(
    summary: optuna.study.StudySummary, backend: str | JournalStorage
) -> StudySummary:
    best, num_trials = summary.best_trial, summary.n_trials
    if CONSTRAINTS_KEY in summary.user_attrs.get(FIXED, {}):
        # Optuna's summary knows no constraints. All trials are read for such studies only.
        study = optuna.load_study(study_name=summary.study_name, storage=backend)
        best = next(iter(rank_trials(study)), None)
        num_trials = sum(not is_rejected(t) for t in study.get_trials(deepcopy=False))
    is_single = len(summary.directions) == 1
    return StudySummary(
        name=summary.study_name,
        started="" if summary.datetime_start is None else summary.datetime_start.isoformat(),
        num_trials=num_trials,
        best_value=best.values[0] if is_single and best is not None else None,
    )


@contextmanager
def _open_storage(storage: str | None, outputs: Path) -> Iterator[str | JournalStorage]:
    """Give what Optuna opens as a storage; turn its errors into TrackingError."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = storage or sqlite_url(outputs.absolute() / STUDIES_FILE)
    if f"://{HIDDEN}@" in url:
        raise TrackingError(
            "--storage",
            f"must contain the user and the password, which printed commands hide as {HIDDEN}",
            found=url,
            fix=f"Replace {HIDDEN} by them.",
        )
    path = sqlite_path(url) or (None if "://" in url else Path(url).expanduser())
    if path is not None and "://" in url:
        url = sqlite_url(path)
    # Optuna would create the file.
    if path is not None and not path.exists():
        fix = "Has any search been run there yet? Another storage needs --storage."
        raise TrackingError(path, "must exist", fix=fix)
    try:
        is_journal = url.endswith(JOURNAL_SUFFIX)
        yield JournalStorage(JournalFileBackend(str(path))) if is_journal else url
    except (
        OptunaError,
        SQLAlchemyError,
        RuntimeError,
        ImportError,
        ValueError,
        OSError,
    ) as error:
        raise TrackingError(
            scrub(url),
            f"must be a storage of Optuna studies ({describe_error(error, url)})",
        ) from None


def read_storage(directory: Path) -> str | None:
    """Return the storage of the search in a folder, or None if that is not known.

    It is not known either if its file has been moved, or if it has credentials: they are not
    written to the folder.
    """
    try:
        config = OmegaConf.load(directory / MULTIRUN)
    except (OSError, ValueError, YAMLError):
        return None
    select = partial(OmegaConf.select, config, throw_on_resolution_failure=False)
    storage, cwd = select("hydra.sweeper.storage"), select("hydra.runtime.cwd")
    if not isinstance(storage, str) or HIDDEN in storage:
        return None
    url = make_absolute(storage, str(cwd))
    path = sqlite_path(url) or (None if "://" in url else Path(url))
    return url if path is None or path.exists() else None


def _describe_storage(storage: str | None, outputs: Path) -> str:
    return scrub(storage or sqlite_url(outputs.absolute() / STUDIES_FILE))


def select_best_trials(
    study: Study, top: int, *, ignore_seed: bool = False
) -> list[FrozenTrial]:
    """Return the `top` best trials, the best first.

    Args:
        ignore_seed: whether to leave out trials that differ from a better one only in `seed`.

    Raises:
        TrackingError: no trial has completed.
    """
    trials = rank_trials(study)
    if ignore_seed:
        best_of_point: dict[str, FrozenTrial] = {}
        for trial in trials:
            others = {"seed": None} if "seed" in trial.params else {"trial": trial.number}
            best_of_point.setdefault(str(sorted((trial.params | others).items())), trial)
        trials = list(best_of_point.values())
    return _require_trials(study, trials[:top])


def select_pareto_front(study: Study) -> list[FrozenTrial]:
    """Return the trials of a study of several objectives that no other dominates.

    Raises:
        TrackingError: no trial has completed.
    """
    return _require_trials(study, find_pareto_front(study))


def _require_trials(study: Study, trials: list[FrozenTrial]) -> list[FrozenTrial]:
    if trials:
        return trials
    rule, fix = "must have a completed trial", "Run more trials."
    if study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        rule += f" that satisfies {CONSTRAINTS_KEY}"
        fix = "Widen the bounds, and run more trials."
    found = [describe_states(study)]
    raise TrackingError(f"study {study.study_name}", rule, found=found, fix=fix)


def get_study_directory(study: Study, outputs: Path) -> Path:
    """Return the directory of a study in an outputs folder.

    Raises:
        ConfigError: the study's name is a path. Its storage may come from anybody.
    """
    require_folder_name(study.study_name)
    return outputs.absolute() / "sweeps" / study.study_name


def get_trial_directory(study: Study, trial: FrozenTrial, outputs: Path) -> Path:
    """Return the directory in which the trial ran, with its config and checkpoints.

    Raises:
        ConfigError: as `get_study_directory`.
    """
    return find_moved(locate_trial(trial, get_study_directory(study, outputs)), outputs)


def describe_changes(study: Study) -> str:
    """Return what is different in a study from the one that it extends; "" for any other."""
    record = study.user_attrs.get(EXTENDS)
    changes = record["changes"] if record else []
    return "; ".join(f"{key}: {old} -> {new}" for key, old, new in changes)
