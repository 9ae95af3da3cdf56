"""The division of a network's parameters into those with and without weight decay."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor


def split_by_decay(weight_decay: float, parameters: Iterable[Tensor]) -> list[dict[str, Any]]:
    """Return parameter groups in which only weight matrices decay.

    Decay of a bias, or of a norm's scale and shift, does not regularize: it moves the
    activations' mean and scale, which the data should decide. Empty groups are left out.
    """
    listed = list(parameters)
    matrices = [p for p in listed if p.ndim >= 2]
    vectors = [p for p in listed if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
