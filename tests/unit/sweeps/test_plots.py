"""Each study has the plots for which it has enough trials."""

import warnings

import matplotlib as mpl
import optuna
from matplotlib.text import Text

from framesweep.sweeps import plots
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


def test_axes_name_the_objective_of_the_study(study, tmp_path, monkeypatch):
    study.set_metric_names(["dev/accuracy"])
    texts: set[str] = set()

    def save(figure, path, *, tight):
        texts.update(text.get_text() for text in figure.findobj(Text))

    monkeypatch.setattr(plots, "save_png", save)
    write_plots(study, tmp_path)
    assert "dev/accuracy" in texts
    assert not {"Objective Value", "Intermediate Value"} & texts


def test_values_that_look_like_formulas_or_lack_a_glyph_are_drawn(tmp_path):
    study = optuna.create_study(direction="maximize")
    study.optimize(lambda trial: len(trial.suggest_categorical("p", ["$a$b$", "क", "x"])), 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tmp_path / "slice.png" in write_plots(study, tmp_path)
    assert mpl.rcParams["text.parse_math"]  # no other figure of the process is affected
