"""Matrix products by oneDNN, alone or with the operation that follows in the same pass."""

from functools import cache

import torch
from torch import Tensor

from framesweep.kernels.activations import PostOp

_NO_POST_OP: PostOp = ("none", [], "")


@cache
def available() -> bool:
    """Return whether this build of torch has what `multiply` calls."""
    return bool(
        torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def multiply(
    a: Tensor, b: Tensor, bias: Tensor | None = None, post_op: PostOp | None = None
) -> Tensor:
    """Return post_op(a @ b.t() + bias) as (M, N), for a (M, K), b (N, K) and bias (N,).

    In float32 this is a sixth faster than `torch.mm` on processors that are not Intel's:
    torch.mm calls MKL, which does not use all of their vector units. On Intel's it is up to a
    quarter slower; see `backends`.

    Args:
        a, b: Of one type, float32 or bfloat16; either may be a transposed view.
        bias: Added to each row.
        post_op: oneDNN's name of an activation, with its parameters and variant.
    """
    c: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, bias, *(post_op or _NO_POST_OP))
    return c
