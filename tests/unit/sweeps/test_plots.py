"""Each study has the plots for which it has enough trials."""

import optuna

from framesweep.sweeps.plots import write_plots


def test_a_study_of_one_objective_has_all_its_plots(study, tmp_path):
    names = {path.name for path in write_plots(study, tmp_path)}
    assert names == {
        f"{name}.png"
        for name in (
            "history",
            "importances",
            "parallel",
            "slice",
            "contour",
            "intermediate_values",
            "timeline",
        )
    }
    assert all(path.stat().st_size > 5000 for path in tmp_path.glob("*.png"))


def test_a_study_of_two_objectives_and_an_empty_one_have_theirs(two_objectives, tmp_path):
    names = {path.name for path in write_plots(two_objectives, tmp_path / "two")}
    assert {"pareto_front.png", "history_1.png", "history_2.png", "slice_2.png"} <= names
    assert "intermediate_values.png" not in names
    empty = optuna.create_study()
    for path in write_plots(empty, tmp_path / "none"):
        assert path.stat().st_size > 0
