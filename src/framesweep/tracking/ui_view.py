"""The view in which MLflow's UI first shows an experiment."""

import json

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


def build_experiment_link(experiment_id: str | None) -> str:
    """Return the part of a URL that opens the experiment in this view.

    The query is needed: a browser that opens the UI for the first time otherwise sees the pages
    for language models. Without an experiment, return the link to the list of all of them.
    """
    if experiment_id is None:
        return "/#/experiments"
    query = f"viewStateShareKey={VIEW_NAME}&workflowType=machine_learning"
    return f"/#/experiments/{experiment_id}/runs?{query}"
