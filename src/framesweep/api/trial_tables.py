"""Tables of the trials of a search, and of the points of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus

from framesweep.api.result import Result
from framesweep.sweeps.context import to_bare_key

if TYPE_CHECKING:
    import pandas as pd
    from optuna.study import Study

COMPLETE, FAILED = "COMPLETE", "FAIL"
"""States of a run that has finished, and of one that has failed, in Optuna's words."""


def build_study_table(study: Study, directory: Path) -> pd.DataFrame:
    """Return one row per trial, in the order of their numbers.

    The columns are number, state, rank (1 is the best; missing unless the trial is complete),
    the objectives, seconds, the searched keys, and the id and directory of the trial's run.

    Args:
        study: The study.
        directory: The directory of its sweep.
    """
    from framesweep.sweeps.tables import get_objective_names, rank_trials

    names = get_objective_names(study)
    ranks = {trial.number: rank for rank, trial in enumerate(rank_trials(study), start=1)}
    rows = [
        {
            "number": trial.number,
            "state": trial.state.name,
            "rank": ranks.get(trial.number),
            **dict(zip(names, trial.values or [None] * len(names), strict=True)),
            "seconds": trial.duration.total_seconds() if trial.duration else None,
            **{to_bare_key(key): value for key, value in trial.params.items()},
            "run_id": Result(directory / str(trial.number)).run_id,
            "directory": str(directory / str(trial.number)),
        }
        for trial in study.get_trials(deepcopy=False)
    ]
    return _build_table(rows)


def build_grid_table(
    jobs: Sequence[JobReturn],
    swept: Sequence[str],
    objectives: Sequence[str],
    *,
    maximize: bool,
) -> pd.DataFrame:
    """Return one row per point of a grid, in the order in which they were trained.

    Args:
        jobs: What Hydra returned for each point.
        swept: The keys that the grid sweeps over.
        objectives: The names of what each job returned.
        maximize: Whether a greater value of the first objective is better.
    """
    rows: list[dict[str, Any]] = []
    for number, job in enumerate(jobs):
        is_complete = job.status is JobStatus.COMPLETED
        returned = job.return_value if is_complete else [None] * len(objectives)
        values = returned if isinstance(returned, list) else [returned]
        assert job.hydra_cfg is not None
        result = Result(job.hydra_cfg.hydra.runtime.output_dir)
        rows.append(
            {
                "number": number,
                "state": COMPLETE if is_complete else FAILED,
                **dict(zip(objectives, values, strict=True)),
                **_read_values(job.overrides or (), swept),
                "run_id": result.run_id,
                "directory": str(result.directory),
            }
        )
    table = _build_table(rows).astype(dict.fromkeys(objectives, float))
    rank = table[objectives[0]].rank(ascending=not maximize, method="first").astype("Int64")
    table.insert(2, "rank", rank)
    return table


def _build_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(list(rows))
    if "rank" in table:
        table["rank"] = table["rank"].astype("Int64")
    return table


def _read_values(overrides: Sequence[str], keys: Sequence[str]) -> dict[str, Any]:
    """Return the values that a job's overrides give to `keys`."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    values = {to_bare_key(each.get_key_element()): each.value() for each in parsed}
    return {key: values[key] for key in keys if key in values}
