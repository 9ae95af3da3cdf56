"""Labels of plots can be read."""

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from framesweep.sweeps.plot_layout import MAX_LEGEND, make_readable


def ticks(axis):
    return list(axis.get_major_locator()())


@pytest.mark.parametrize("values", [[2, 3, 7], [0, 1], [10, 2000]])
def test_integers_have_integer_ticks(values):
    figure = Figure()
    axes = figure.subplots()
    axes.plot(values, [0.25, 0.5, 0.75][: len(values)])
    make_readable(figure, "slice", "dev/accuracy")
    assert all(float(tick).is_integer() for tick in ticks(axes.xaxis))
    assert not all(float(tick).is_integer() for tick in ticks(axes.yaxis))


def test_learning_curves_name_the_metric_and_epochs():
    figure = Figure()
    axes = figure.subplots()
    for trial in range(MAX_LEGEND + 1):
        axes.plot([1, 2], [0.1, 0.2], label=f"Trial{trial}")
    axes.legend()
    make_readable(figure, "intermediate_values", "dev/accuracy")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "dev/accuracy")
    assert set(ticks(axes.xaxis)) >= {1, 2}
    assert axes.get_legend() is None


def test_logarithmic_axes_have_plain_numbers():
    with mpl.rc_context({"text.parse_math": False}):
        figure = Figure()
        axes = figure.subplots()
        axes.plot([1e-4, 1e-2], [0, 1])
        axes.set_xscale("log")
        make_readable(figure, "slice", "dev/accuracy")
        figure.draw_without_rendering()
    texts = [label.get_text() for label in axes.get_xticklabels()]
    assert "0.001" in texts
    assert not [text for text in texts if "$" in text]


def test_only_outer_panels_of_a_contour_matrix_have_labels():
    figure = Figure()
    panels = figure.subplots(3, 3)
    for panel in panels.ravel():
        panel.set_xlabel("x")
        panel.set_ylabel("y")
    make_readable(figure, "contour", "dev/accuracy")
    assert figure.get_size_inches()[0] >= 9
    assert [panel.get_xlabel() for panel in panels[:, 1]] == ["", "", "x"]
    assert [panel.get_ylabel() for panel in panels[1]] == ["y", "", ""]


def test_long_categories_are_written_at_an_angle():
    figure = Figure()
    axes = figure.subplots()
    axes.plot(["[1024,1024]", "[64]"], [0, 1])
    make_readable(figure, "slice", "dev/accuracy")
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {25}
