"""Lays out Optuna's plots so that their labels can be read."""

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.category import StrCategoryLocator
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, StrMethodFormatter

MIN_WIDTH, MIN_HEIGHT = 8.0, 5.0
"""Smallest size of a plot in inches."""

CONTOUR_INCHES = 3.0
"""Side of each panel of the contour plot."""

MAX_LEGEND = 12
"""Most trials that a legend lists; it would be longer than the plot."""

LONG_LABEL = 5
"""Length in characters from which on categories are written at an angle."""

COUNTS = ("Trial", "#Trials", "Step", "Number of Trials", "epoch")
"""Labels of axes that count."""


def make_readable(figure: Figure, name: str, objective: str) -> None:
    """Resize the plot `name`, rotate long labels, and use whole numbers for whole numbers.

    Args:
        objective: The name of the metric that the plot shows, if it is one over epochs.
    """
    width, height = figure.get_size_inches()
    figure.set_size_inches(max(width, MIN_WIDTH), max(height, MIN_HEIGHT))
    if name == "intermediate_values":
        _label_epochs(figure.axes[0], objective)
    if name.startswith("contour"):
        _spread_panels(figure)
    if name.startswith("parallel"):
        # Its last axis would have its labels in the color bar.
        figure.subplots_adjust(right=0.8)
        _place_color_bar(figure, 0.78)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            _choose_ticks(axis)
        _rotate_categories(axes)


def _label_epochs(axes: Axes, objective: str) -> None:
    axes.set_title("Learning curves of the trials")
    axes.set_xlabel("epoch")
    axes.set_ylabel(objective)
    legend = axes.get_legend()
    if legend is not None and len(legend.get_texts()) > MAX_LEGEND:
        legend.remove()


def _spread_panels(figure: Figure) -> None:
    """Give each panel of a matrix of contour plots the same space, and label the outer ones."""
    panels = [axes for axes in figure.axes if axes.get_subplotspec() is not None]
    grids = [spec.get_gridspec() for axes in panels if (spec := axes.get_subplotspec())]
    if not grids:
        return
    rows, columns = max((grid.nrows, grid.ncols) for grid in grids)
    figure.set_size_inches(
        CONTOUR_INCHES * max(columns, 2) + 1.5, CONTOUR_INCHES * max(rows, 2)
    )
    if rows > 1:
        for axes in panels:
            axes.label_outer()
        figure.subplots_adjust(right=0.86, hspace=0.1, wspace=0.1)
        _place_color_bar(figure, 0.88)


def _place_color_bar(figure: Figure, left: float) -> None:
    """Move the color bar, if there is one, to the right of all panels."""
    for axes in figure.axes:
        if axes.get_label() == "<colorbar>":
            axes.set_axes_locator(None)  # type: ignore[arg-type]  # matplotlib's hint is narrow
            axes.set_position((left, 0.15, 0.02, 0.7))


def _choose_ticks(axis: Axis) -> None:
    """Use whole numbers for counts and integer params, and plain ones on logarithmic axes."""
    if axis.get_scale() == "log":
        # The default writes powers of ten as a formula, which is turned off because of names.
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
        return
    if isinstance(axis.get_major_locator(), FixedLocator | StrCategoryLocator):
        return
    low, high = axis.get_data_interval()
    is_whole = float(low).is_integer() and float(high).is_integer() and high - low >= 1
    if axis.get_label_text() in COUNTS or is_whole:
        axis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))


def _rotate_categories(axes: Axes) -> None:
    texts = [label.get_text() for label in axes.get_xticklabels()]
    if isinstance(axes.xaxis.get_major_locator(), FixedLocator | StrCategoryLocator) and any(
        len(text) > LONG_LABEL for text in texts
    ):
        axes.tick_params(axis="x", labelrotation=25)
