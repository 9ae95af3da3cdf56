"""The link to an experiment, and the view that it opens."""

import json

from framesweep.tracking.ui_view import (
    COLUMNS,
    EXPERIMENT_TAGS,
    MAX_SWEPT,
    VIEW_NAME,
    VIEW_TAG,
    Row,
    build_experiment_path,
    choose_columns,
    find_latest_parent,
)


def test_the_link_opens_the_runs_of_the_experiment_and_no_shared_view():
    link = build_experiment_path("7")
    assert link.startswith("/#/experiments/7/runs?")
    assert VIEW_NAME not in link
    assert VIEW_TAG.endswith(f".{VIEW_NAME}")


def test_without_an_experiment_the_link_opens_the_list():
    assert build_experiment_path(None) == "/#/experiments"


def test_the_saved_view_selects_the_columns():
    view = json.loads(EXPERIMENT_TAGS[VIEW_TAG])
    assert view["name"] == VIEW_NAME
    assert json.loads(view["state"])["selectedColumns"] == list(COLUMNS)


def row(name="id", metrics=(), params=(), tags=()) -> Row:
    return Row(
        name, dict.fromkeys(metrics, 0.5), dict.fromkeys(params, "1"), dict.fromkeys(tags)
    )


def test_the_objective_comes_first_and_then_what_was_swept():
    rows = [
        row(metrics=["train/loss", "best/loss"], params=["_swept/model.dropout", "seed"]),
        row(metrics=["best/accuracy"], params=["_swept/model", "model"]),
    ]
    assert choose_columns(rows) == [
        "metrics.`best/accuracy`",
        "metrics.`best/loss`",
        "metrics.`dev/accuracy`",
        "metrics.`dev/loss`",
        "params.`_swept/model.dropout`",
        "params.`_swept/model`",
        "params.`data.context`",
        "params.`derived.num_params`",
        "params.`optim.lr`",
    ]


def test_the_latest_swept_keys_have_columns_if_there_are_many():
    rows = [row(params=[f"_swept/key{i}"]) for i in range(2 * MAX_SWEPT)]
    swept = [column for column in choose_columns(rows) if "_swept/" in column]
    assert swept == [f"params.`_swept/key{i}`" for i in range(MAX_SWEPT)]


def test_the_latest_sweep_is_expanded():
    rows = [row("run"), row("new", tags=["sweep"]), row("old", tags=["sweep"])]
    assert find_latest_parent(rows) == ["new"]
    assert find_latest_parent(rows[:1]) == []
