"""Interactive plots of studies."""

import optuna
import pytest

from framesweep.sweeps.study_figures import draw_study, write_study_figures


def titles(study) -> list[str]:
    return [figure["layout"].get("title", {}).get("text", "") for figure in draw_study(study)]


def test_a_study_of_one_objective_has_all_its_figures(study):
    assert titles(study) == [
        "Learning curves of the trials",
        "Optimization History Plot",
        "Hyperparameter Importances",
        "Parallel Coordinate Plot",
        "Slice Plot",
        "Contour Plot",
        "Timeline Plot",
    ]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_figures_name_the_objective_and_count_epochs_in_whole_numbers(study):
    study.set_metric_names(["dev/accuracy"])
    figures = draw_study(study)
    assert "dev/accuracy" in str(figures)
    assert "Objective Value" not in str(figures)
    assert figures[0]["layout"]["xaxis"]["dtick"] == 1


def test_a_study_of_two_objectives_has_its_front(two_objectives):
    found = titles(two_objectives)
    assert found[0] == "Pareto-front Plot"
    assert found.count("Slice Plot") == 2


def test_figures_are_written_to_one_page(study, tmp_path):
    assert write_study_figures(study, tmp_path / "plots.html")
    page = (tmp_path / "plots.html").read_text(encoding="utf-8")
    assert page.count('Plotly.newPlot("figure-') == 7


def test_a_study_without_trials_has_no_page(tmp_path):
    assert not write_study_figures(optuna.create_study(), tmp_path / "plots.html")
    assert list(tmp_path.iterdir()) == []
