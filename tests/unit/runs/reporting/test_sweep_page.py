"""The page about a search or a grid."""

import optuna
import pytest

from configs import compose
from framesweep.config.composition import dump, register
from framesweep.runs.reporting.sweep_page import build_grid_page, build_study_page
from framesweep.system.drawing import html_page

register()
NAME = "<i>study</i>"


@pytest.fixture(autouse=True)
def short_plotly(monkeypatch):
    monkeypatch.setattr(html_page, "read_plotly", lambda: "var Plotly = {};")


@pytest.fixture
def study():
    study = optuna.create_study(study_name="s", direction="maximize")
    study.set_user_attr("search_space", {"data.context": "choice(5, <b>)"})
    study.set_user_attr("fixed_overrides", {"seed": 7})
    for context in (5, 15):
        trial = study.ask({"data.context": optuna.distributions.IntDistribution(1, 20)})
        trial.report(context / 20, 1)
        trial.set_user_attr("overrides", [f"data.context={trial.params['data.context']}"])
        study.tell(trial, context / 20)
    return study


def test_a_study_has_its_space_its_best_trial_plots_and_a_command(study, tmp_path):
    page = build_study_page(study, tmp_path).render()
    best = study.best_trial
    assert "Study s (maximize value): 2 complete" in page
    assert "choice(5, &lt;b&gt;)" in page
    assert "<th>seed</th><td>7</td>" in page
    assert f" data.context={best.params['data.context']}" in page
    assert page.count("Plotly.newPlot") >= 3
    assert "<h2>Trial" not in page


def test_the_results_of_the_best_trial_are_added_while_its_directory_exists(study, tmp_path):
    directory = tmp_path / "sweeps" / "s" / "1"
    directory.mkdir(parents=True)
    (directory / "config.yaml").write_text(dump(compose([])))
    page = build_study_page(study, tmp_path).render()
    assert "<h2>Trial 1</h2>" in page


def test_a_study_without_results_says_what_was_searched(tmp_path):
    page = build_study_page(optuna.create_study(study_name="new"), tmp_path).render()
    assert "0 complete" in page
    assert "The best trial" not in page


def test_a_grid_lists_its_runs_and_how_to_repeat_the_best():
    rows = [("a=2", 0.75, {"a": "2"}), ("a=<b>", 0.5, {"a": "<b>"})]
    page = build_grid_page(NAME, rows, "best/accuracy", "framesweep reproduce x", None).render()
    assert "<h1>&lt;i&gt;study&lt;/i&gt;</h1>" in page
    assert "<th>a</th><td>2, &lt;b&gt;</td>" in page
    assert page.index("0.75") < page.index(">0.5<")
    assert "framesweep reproduce x" in page
