"""The view in which MLflow's UI first shows an experiment."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

COLUMNS = (
    "metrics.`best/accuracy`",
    "metrics.`dev/accuracy`",
    "metrics.`dev/loss`",
    "params.`data.context`",
    "params.`derived.widths`",
    "params.`derived.num_params`",
    "params.`model.dropout`",
)
"""Columns of the table of runs, in addition to name, time and duration."""

BEST_PREFIX, SWEPT_PREFIX = "best/", "_swept/"

MAX_RUNS, MAX_SWEPT = 100, 8
"""The latest runs that are looked at, and the most columns of swept values."""

METRICS = ("dev/accuracy", "dev/loss")
PARAMS = ("model", "data.context", "derived.num_params", "model.dropout", "optim.lr")
"""Columns of every table; what is swept has a column of its own already."""

VIEW_NAME = "framesweep"
"""Name of the view among the UI's saved views, and its key in a link."""

VIEW_TAG = f"mlflow.sharedViewState.{VIEW_NAME}"


def _serialize_view() -> str:
    """Return the view as the UI stores one: an object whose `state` is itself a JSON string."""
    state = json.dumps({"selectedColumns": COLUMNS})
    return json.dumps({"name": VIEW_NAME, "createdAt": 0, "updatedAt": 0, "state": state})


EXPERIMENT_TAGS = {
    # The kind decides which pages the UI offers for the experiment.
    "mlflow.experimentKind": "custom_model_development",
    VIEW_TAG: _serialize_view(),
}
"""Tags that make MLflow's UI show an experiment in its view for model training."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a run in the table has: its metrics, params and tags."""

    run_id: str
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]


def build_experiment_path(experiment_id: str | None) -> str:
    """Return the part of a URL that opens the table of an experiment's runs.

    The query is needed: a browser that opens the UI for the first time otherwise sees the pages
    for language models. Without an experiment, return the link to the list of all of them.
    """
    if experiment_id is None:
        return "/#/experiments"
    return f"/#/experiments/{experiment_id}/runs?workflowType=machine_learning"


def choose_columns(rows: Iterable[Row]) -> list[str]:
    """Return the columns: the objectives first, then what was swept, then the main params.

    Args:
        rows: Runs, the latest first.
    """
    metrics, swept = dict[str, None](), dict[str, None]()
    for row in rows:
        metrics |= dict.fromkeys(key for key in row.metrics if key.startswith(BEST_PREFIX))
        swept |= dict.fromkeys(key for key in row.params if key.startswith(SWEPT_PREFIX))
    chosen = list(swept)[:MAX_SWEPT]
    others = [key for key in PARAMS if SWEPT_PREFIX + key not in chosen]
    return [
        *(f"metrics.`{name}`" for name in (*sorted(metrics), *METRICS)),
        *(f"params.`{name}`" for name in (*chosen, *others)),
    ]


def find_latest_parent(rows: Iterable[Row]) -> list[str]:
    """Return the id of the latest sweep's parent, in a list; [] if there is none."""
    return [row.run_id for row in rows if "sweep" in row.tags][:1]
