"""Arithmetic of layer widths: shapes, parameter counts, the widest network within a budget."""

from bisect import bisect_right
from collections.abc import Callable, Sequence

from framesweep.config.key_ranges import MAX_WIDTH

NARROWEST = 0.25
"""Narrowest layer of a pyramid, inverse or diamond, as a share of its widest."""


def shape_widths(shape: str, width: int, depth: int) -> tuple[int, ...]:
    """Return the widths of `depth` layers from input to output, of which `width` is the widest.

    In a cylinder all are equal. In a pyramid the widths fall from `width` to a quarter of it by
    the same factor from layer to layer, in an inverse they rise likewise, and in a diamond they
    rise up to the middle and then fall.
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
    """Return the number of parameters of a perceptron with these hidden widths.

    It counts weights, the bias of the output, and for each hidden unit a bias, a scale and a
    shift: with batch norm there is no bias, without a norm there is nothing but a bias.
    """
    sizes = (input_dim, *widths, num_classes)
    weights = sum(sizes[i] * sizes[i + 1] for i in range(len(sizes) - 1))
    per_unit = {"batch": 2, "layer": 3, "none": 1}[norm]
    return weights + per_unit * sum(widths) + num_classes


def find_widest(
    max_params: float, shape: str, depth: int, input_dim: int, num_classes: int, norm: str
) -> int:
    """Return the largest `width` whose network has at most `max_params` parameters.

    It is 0 if even a width of 1 has more, and at most MAX_WIDTH, however large the budget.
    """

    def params_of(width: int) -> int:
        return count_params(shape_widths(shape, width, depth), input_dim, num_classes, norm)

    return find_largest(MAX_WIDTH, params_of, max_params)


def find_largest(most: int, params_of: Callable[[int], int], max_params: float) -> int:
    """Return the largest of the sizes 1 to `most` with at most `max_params` parameters, or 0.

    Args:
        most: The largest size.
        params_of: Returns the number of parameters for a size, which grows with it.
        max_params: The budget.
    """
    # The sizes that fit are 1, 2, ... up to the answer, which is also their number.
    return bisect_right(range(1, most + 1), max_params, key=params_of)
