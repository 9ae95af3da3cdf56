"""Runs a computation with several numbers of torch's threads."""

from collections.abc import Callable, Iterable, Sequence

import torch


def require_equal_bits(
    run: Callable[[], Sequence[torch.Tensor]], counts: Iterable[int]
) -> None:
    """Require the tensors that `run` returns to be the same with each number of threads."""
    before = torch.get_num_threads()
    results = []
    try:
        for count in counts:
            torch.set_num_threads(count)
            results.append(run())
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))
