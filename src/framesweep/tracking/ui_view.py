"""How MLflow's UI first shows an experiment: training runs, with the columns that matter."""

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
"""Of the table of runs, beside name, time and duration."""

VIEW = "framesweep"
"""The view's name among the UI's saved views, and its key in a link."""

VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"


def _saved_view() -> str:
    """The view in the form in which the UI saves views: a string in an object in a tag."""
    state = json.dumps({"selectedColumns": COLUMNS})
    return json.dumps({"name": VIEW, "createdAt": 0, "updatedAt": 0, "state": state})


EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",
    VIEW_TAG: _saved_view(),
}
"""Tags of an experiment that MLflow's UI shows in its model-training view."""


def build_experiment_link(experiment_id: str | None) -> str:
    """The part of a URL that opens the experiment in this view; None for the list of all.

    Without it the UI shows a browser that is new to it the pages for language models.
    """
    if experiment_id is None:
        return "/#/experiments"
    query = f"viewStateShareKey={VIEW}&workflowType=machine_learning"
    return f"/#/experiments/{experiment_id}/runs?{query}"
