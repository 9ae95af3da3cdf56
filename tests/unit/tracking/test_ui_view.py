"""The link to an experiment, and the view that it opens."""

import json

from framesweep.tracking.ui_view import (
    COLUMNS,
    EXPERIMENT_TAGS,
    VIEW_NAME,
    VIEW_TAG,
    build_experiment_link,
)


def test_the_link_opens_the_saved_view_of_the_experiment():
    link = build_experiment_link("7")
    assert link.startswith("/#/experiments/7/runs?")
    assert f"viewStateShareKey={VIEW_NAME}&" in link
    assert VIEW_TAG.endswith(f".{VIEW_NAME}")


def test_without_an_experiment_the_link_opens_the_list():
    assert build_experiment_link(None) == "/#/experiments"


def test_the_saved_view_selects_the_columns():
    view = json.loads(EXPERIMENT_TAGS[VIEW_TAG])
    assert view["name"] == VIEW_NAME
    assert json.loads(view["state"])["selectedColumns"] == list(COLUMNS)
