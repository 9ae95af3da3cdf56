"""Arithmetic of layer widths: shapes, parameter counts, the widest network within a budget."""

from bisect import bisect_right
from collections.abc import Sequence

MAX_WIDTH = 65_536
"""Units a layer may have: beyond it a slip of the hand is likelier than a wish."""
NARROWEST = 0.25
"""Narrowest layer of a pyramid, inverse or diamond, as a share of its widest."""


def shape_widths(shape: str, width: int, depth: int) -> tuple[int, ...]:
    """Widths of `depth` layers from input to output; `width` is the widest.

    A cylinder keeps to `width`. A pyramid falls from `width` to a quarter of it by one factor
    from layer to layer, an inverse rises likewise, a diamond does both around its middle.
    """
    if shape == "cylinder":
        distances = [0] * depth
    elif shape == "diamond":
        distances = [abs(2 * i - (depth - 1)) // 2 for i in range(depth)]
    else:
        distances = list(range(depth))
    farthest = max(distances) or 1
    widths = [max(1, round(width * NARROWEST ** (d / farthest))) for d in distances]
    return tuple(reversed(widths) if shape == "inverse" else widths)


def count_params(widths: Sequence[int], input_dim: int, num_classes: int, norm: str) -> int:
    """Parameters of a perceptron with these hidden widths.

    Weights, an output bias, and a unit's bias, scale and shift: batch norm does without the
    bias, a network without norm has the bias only.
    """
    sizes = (input_dim, *widths, num_classes)
    weights = sum(sizes[i] * sizes[i + 1] for i in range(len(sizes) - 1))
    per_unit = {"batch": 2, "layer": 3, "none": 1}[norm]
    return weights + per_unit * sum(widths) + num_classes


def widest_within(
    max_params: float, shape: str, depth: int, input_dim: int, num_classes: int, norm: str
) -> int:
    """Largest `width` whose network has at most `max_params` parameters; 0 where none has.

    At most MAX_WIDTH, however large the budget.
    """

    def params_of(width: int) -> int:
        return count_params(shape_widths(shape, width, depth), input_dim, num_classes, norm)

    # The count grows with the width: as many widths fit as the widest has units.
    return bisect_right(range(1, MAX_WIDTH + 1), max_params, key=params_of)
