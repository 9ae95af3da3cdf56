"""The runs in an outputs folder: what is known about them, and which of them a text names.

Completion and `framesweep runs` must respond immediately, so nothing here imports torch, MLflow
or Hydra.
"""

from framesweep.catalog.records import RunRecord, State
from framesweep.catalog.resolve import (
    ambiguous_error,
    describe_run,
    is_word,
    rank_finished_runs,
    resolve_run,
    short_id,
)
from framesweep.catalog.runs import list_runs

__all__ = [
    "RunRecord",
    "State",
    "ambiguous_error",
    "describe_run",
    "is_word",
    "list_runs",
    "rank_finished_runs",
    "resolve_run",
    "short_id",
]
