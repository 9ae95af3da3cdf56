"""Shapes, counts and the widest network within a budget."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from framesweep.models.widths import MAX_WIDTH, count_params, find_widest, shape_widths

SHAPES = ("cylinder", "pyramid", "inverse", "diamond")


@pytest.mark.parametrize(
    ("shape", "depth", "expected"),
    [
        ("cylinder", 3, (1024, 1024, 1024)),
        ("pyramid", 3, (1024, 512, 256)),
        ("pyramid", 5, (1024, 724, 512, 362, 256)),
        ("inverse", 3, (256, 512, 1024)),
        ("diamond", 5, (256, 512, 1024, 512, 256)),
        ("diamond", 4, (256, 1024, 1024, 256)),
        ("diamond", 2, (1024, 1024)),
        ("pyramid", 1, (1024,)),
        ("diamond", 1, (1024,)),
    ],
)
def test_shapes(shape: str, depth: int, expected: tuple[int, ...]) -> None:
    assert shape_widths(shape, 1024, depth) == expected


@given(st.sampled_from(SHAPES), st.integers(1, 5000), st.integers(1, 30))
def test_no_layer_is_empty_and_the_widest_is_as_asked(
    shape: str, width: int, depth: int
) -> None:
    widths = shape_widths(shape, width, depth)
    assert len(widths) == depth
    assert min(widths) >= 1
    assert max(widths) == width


def torch_count(widths: tuple[int, ...], input_dim: int, num_classes: int, norm: str) -> int:
    """The same network from torch's modules, counted by torch."""
    modules: list[nn.Module] = []
    for width in widths:
        modules.append(nn.Linear(input_dim, width, bias=norm != "batch"))
        if norm != "none":
            modules.append(nn.BatchNorm1d(width) if norm == "batch" else nn.LayerNorm(width))
        input_dim = width
    modules.append(nn.Linear(input_dim, num_classes))
    return sum(p.numel() for module in modules for p in module.parameters())


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
@pytest.mark.parametrize("widths", [(), (7,), (30, 20, 10), (5, 5, 5, 5)])
def test_count_is_torchs(widths: tuple[int, ...], norm: str) -> None:
    assert count_params(widths, 33, 12, norm) == torch_count(widths, 33, 12, norm)


def test_count_of_the_baseline_by_hand() -> None:
    weights = 2040 * 1024 + 2 * 1024 * 1024 + 1024 * 512 + 512 * 71
    scales_and_shifts = 2 * (3 * 1024 + 512)
    assert count_params((1024, 1024, 1024, 512), 2040, 71, "batch") == (
        weights + scales_and_shifts + 71
    )


@given(
    st.floats(1e3, 1e8),
    st.sampled_from(SHAPES),
    st.integers(1, 12),
    st.integers(1, 4000),
    st.sampled_from(["batch", "layer", "none"]),
)
def test_one_unit_more_would_not_fit(
    budget: float, shape: str, depth: int, input_dim: int, norm: str
) -> None:
    width = find_widest(budget, shape, depth, input_dim, 71, norm)
    if width > 0:
        assert count_params(shape_widths(shape, width, depth), input_dim, 71, norm) <= budget
    assume(width < MAX_WIDTH)
    wider = shape_widths(shape, width + 1, depth)
    assert count_params(wider, input_dim, 71, norm) > budget


def test_an_exact_budget_is_used_up() -> None:
    exact = count_params(shape_widths("pyramid", 777, 4), 2040, 71, "batch")
    assert find_widest(exact, "pyramid", 4, 2040, 71, "batch") == 777
    assert find_widest(exact - 1, "pyramid", 4, 2040, 71, "batch") == 776
    assert find_widest(1e15, "cylinder", 2, 10, 5, "none") == MAX_WIDTH
