"""Dropout by a hash of positions: its definition in NumPy, and batches that ranks divide."""

import numpy as np
import pytest
import torch

from framesweep.distributed.collectives import SINGLE_PROCESS, Shard
from framesweep.kernels.counter_dropout import can_compile, counter_dropout, counter_mask

SEEDS = torch.tensor([-123_456_789, 2_000_000_011], dtype=torch.int32)


def finalize(words: np.ndarray) -> np.ndarray:
    """The finalizer of MurmurHash3 in unsigned arithmetic."""
    words = (words ^ (words >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    words = (words ^ (words >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return words ^ (words >> np.uint32(16))


def expected_mask(first: int, num_rows: int, num_columns: int, p: float) -> np.ndarray:
    a, b = SEEDS.numpy().view(np.uint32)
    positions = np.arange(first * num_columns, (first + num_rows) * num_columns, dtype=np.int64)
    words = positions.astype(np.uint32)
    return (finalize(finalize(words ^ a) + b) >= p * 2**32).reshape(num_rows, num_columns)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("first", [0, 7, 2_000_000])
def test_the_mask_is_the_hash_of_each_position(first: int, p: float) -> None:
    found = counter_mask(SEEDS, first, 37, 2_048, p).numpy()
    assert np.array_equal(found, expected_mask(first, 37, 2_048, p))


def test_a_compiled_mask_is_the_same() -> None:
    compiled = torch.compile(counter_mask, dynamic=True, fullgraph=True, backend="aot_eager")
    for first, rows, columns in [(0, 5, 8), (3, 6, 16)]:
        plain = counter_mask(SEEDS, first, rows, columns, 0.3)
        assert torch.equal(compiled(SEEDS, first, rows, columns, 0.3), plain)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_the_share_of_dropped_elements_is_p_in_rows_columns_and_neighbors(p: float) -> None:
    kept = counter_mask(SEEDS, 0, 1_000, 1_000, p).double()
    deviation = (p * (1 - p)) ** 0.5
    assert abs(kept.mean() - (1 - p)) < 5 * deviation / 1_000
    for axis in (0, 1):
        assert (kept.mean(dim=axis) - (1 - p)).abs().max() < 5 * deviation / 1_000**0.5
    centered = (kept - (1 - p)) / deviation
    for shift in [(0, 1), (1, 0), (1, 1)]:
        assert (centered * centered.roll(shift, dims=(0, 1))).mean().abs() < 5 / 1_000


def test_masks_of_different_seeds_are_independent() -> None:
    def centered(seeds: list[int]) -> torch.Tensor:
        kept = counter_mask(torch.tensor(seeds, dtype=torch.int32), 0, 500, 500, 0.5)
        return kept.double() * 2 - 1

    first = centered([1, 2])
    for other in ([2, 2], [1, 3], [2, 1], [-1, 2]):
        assert (first * centered(other)).mean().abs() < 5 / 500


@pytest.mark.parametrize("sizes", [[12], [5, 7], [4, 4, 4], [12, 0]])
def test_however_many_ranks_divide_a_batch_its_rows_are_dropped_alike(sizes: list[int]) -> None:
    x = torch.rand(12, 9, generator=torch.Generator().manual_seed(0)) + 1
    whole: list[torch.Tensor] = []
    parts: list[torch.Tensor] = []
    for num_ranks, found in ((sizes, parts), ([12], whole)):
        first = 0
        for rows in num_ranks:
            torch.manual_seed(3)  # the ranks' generators are in the same state
            shard = Shard(first, rows, 12, SINGLE_PROCESS)
            found.append(counter_dropout(x[first : first + rows], 0.4, shard))
            first += rows
    assert torch.equal(torch.cat(parts), torch.cat(whole))


def test_kept_elements_are_scaled_up_and_pass_gradients() -> None:
    x = torch.ones(64, 64, requires_grad=True)
    y = counter_dropout(x, 0.25, Shard.whole(64))
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, y.detach())


def test_each_call_draws_another_mask() -> None:
    x = torch.ones(8, 64)
    first, second = (counter_dropout(x, 0.5, Shard.whole(8)) for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"triton", "gcc"}, True),
        ({"triton"}, False),
        ({"gcc"}, False),
        ({"triton", "cc"}, True),
    ],
)
def test_compiling_needs_triton_and_a_c_compiler(
    monkeypatch: pytest.MonkeyPatch, found: set[str], expected: bool
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name in found or None)
    monkeypatch.setattr("shutil.which", lambda name: name if name in found else None)
    assert can_compile() is expected
